"""The section on judging in every report: a line a judge, figures with n and interval, known-bias judges left out."""

from dataclasses import dataclass

from harness.audit.standing import JudgeStanding, standings
from harness.report.judging import section
from tests.harness.audit.test_standing import ORDERS, ROWS, both, record


@dataclass(frozen=True)
class Summed:
    standings: dict[str, JudgeStanding]


def said(**by_judge):
    return section(Summed(standings({name.replace("_", "/"): rows for name, rows in by_judge.items()})))


def test_a_line_says_place_and_order_and_nothing_bare():
    (line,) = said(gpt=ROWS)
    assert line.startswith("gpt: whichever was shown first won 56 % of 9 (95 % ")
    assert "both orders say the same on 33 % of 6 (95 % 10–70), and of 3 that name different winners 2 follow" in line
    assert line.count("%") >= line.count("95 %") * 2
    assert line.endswith(".")


def test_known_bias_judges_and_judges_without_a_figure_have_no_line():
    assert said(control_first=ROWS, gpt=[]) == []


def test_one_order_alone_is_said():
    (line,) = said(gpt=[record(f"p{k}", ORDERS[k % 2], "candidate") for k in range(4)])
    assert "shown in one order alone" in line


def test_answers_without_a_verdict_are_named():
    rows = [*both("a", "tie", "tie"), record("b", ORDERS[0], None, status="truncated")]
    (line,) = said(gpt=rows)
    assert "no verdict in 1 truncated of 3 answers" in line


def test_a_model_that_hardly_says_a_letter_is_said_to_be_that():
    rows = [record(f"p{k}", ORDERS[0], "candidate", asked={"mass": 0.03}) for k in range(3)]
    assert "its letters hold 3 % of its probability (mean of 3 verdicts), so that it would mostly" in said(hf_x=rows)[0]
    sure = [record(f"p{k}", ORDERS[0], "candidate", asked={"mass": 0.97}) for k in range(3)]
    assert "would mostly" not in said(hf_x=sure)[0]


def test_a_hostile_name_is_one_line():
    (line,) = section(Summed(standings({"evil\n\x1b[31mname": ROWS})))
    assert "\n" not in line
    assert "\x1b" not in line

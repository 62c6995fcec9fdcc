"""What reruns say of a run, from scores alone: reproduced, not reproduced, or what cannot be told; and in words."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from harness.rerun.compare import Ran, compared
from harness.rerun.words import told
from harness.stats.intervals import mean_score


def run(scores, *, name="run", decision="better", complete=True):
    values = np.array(scores, dtype=float)
    return Ran(
        path=Path(name),
        decision=decision,
        reason="",
        complete=complete,
        estimate=mean_score(values),
        scores={f"p{place:03d}": float(score) for place, score in enumerate(values)},
        counting=("openai/judge",),
    )


def several(n, runs=4, waver=0.1, seed=0):
    rng = np.random.default_rng(seed)
    own = np.round(rng.random(n) * 0.8 + 0.3)
    return [np.where(rng.random(n) < waver, np.round(rng.random(n)), own) for _ in range(runs)]


def test_the_same_decision_and_no_more_spread_than_chance_is_reproduced():
    found = compared([run(scores) for scores in several(200)], can_differ=True)
    assert found.verdict == "reproduced"
    assert 0 < found.within < 0.1
    assert f"Reproduced within ±{100 * found.within:.1f} points: every run says better" in " ".join(told(found).split())


@pytest.mark.parametrize("others", [("worse",), ("equivalent",), ("inconclusive", "worse")])
def test_another_clear_decision_is_not_reproduced_and_says_which(others):
    runs = [run(scores) for scores in several(100, 1 + len(others))]
    runs[1:] = [
        replace(one, decision=said, path=Path(f"again-{place}"))
        for place, (one, said) in enumerate(zip(runs[1:], others, strict=True), 1)
    ]
    found = compared(runs, can_differ=True)
    assert found.verdict == "not reproduced"
    assert f"again-{len(others)} says {others[-1]}" in found.reason
    assert found.reason.startswith("the run says better, again-1 says")
    assert "; yet the win rates spread no more" in found.reason


def test_two_reruns_that_contradict_each_other_are_not_reproduced_though_the_run_decided_nothing():
    decisions = ("inconclusive", "better", "worse")
    runs = [run(scores, decision=said) for scores, said in zip(several(100, 3), decisions, strict=True)]
    found = compared(runs, can_differ=True)
    assert found.verdict == "not reproduced"
    assert found.as_json()["decisions"] == {"better": 1, "worse": 1, "inconclusive": 1}


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        (("better", "better", "inconclusive", "inconclusive"), "2 of 4 runs say better, 2 inconclusive"),
        (("inconclusive", "worse", "worse"), "2 of 3 runs say worse, 1 inconclusive"),
        (("equivalent", "inconclusive"), "1 of 2 runs says equivalent, 1 inconclusive"),
    ],
)
def test_decided_and_inconclusive_within_chance_is_reproduced_at_the_border(decisions, said):
    runs = [run(scores, decision=one) for scores, one in zip(several(200, len(decisions)), decisions, strict=True)]
    found = compared(runs, can_differ=True, notes=["another note"])
    assert found.verdict == "reproduced"
    first = f"Reproduced within ±{100 * found.within:.1f} points; the decision is at the border: {said}"
    assert found.notes == (first, "another note")
    text = " ".join(told(found).split())
    assert text.count(first) == 1
    assert f"{first}; the win rates spread no more than chance gives" in text
    assert "another note" in text


def test_inconclusive_by_more_than_chance_is_not_reproduced_and_says_both():
    scores = np.round(np.random.default_rng(0).random(300))
    other = run(np.where(np.arange(300) < 40, 0, scores), name="again-2", decision="inconclusive")
    found = compared([run(scores), run(scores), other], can_differ=True)
    assert found.verdict == "not reproduced"
    assert found.reason.startswith("the run says better, again-2 says inconclusive; the win rates spread more than")
    assert found.as_json()["decisions"] == {"better": 2, "inconclusive": 1}


def test_every_run_deciding_alike_is_at_no_border():
    found = compared([run(scores, decision="inconclusive") for scores in several(200)], can_differ=True)
    assert (found.border, found.notes, found.as_json()["decisions"]) == (False, (), {"inconclusive": 4})


def test_more_spread_than_chance_is_not_reproduced():
    scores = np.round(np.random.default_rng(0).random(300))
    found = compared([run(scores), run(scores), run(np.where(np.arange(300) < 40, 0, scores))], can_differ=True)
    assert found.verdict == "not reproduced"
    assert "the win rates spread more than chance gives (SD" in found.reason


def test_no_change_at_all_is_reproduced_within_what_could_have_been_missed():
    scores = [1.0] * 30 + [0.0] * 10
    found = compared([run(scores), run(scores)], can_differ=True)
    assert (found.verdict, found.spread.sd) == ("reproduced", 0)
    assert found.within > 0.05
    assert "no prompt's score changed in 40 repetitions" in found.reason
    assert "No outcome of 40 prompts differs" in told(found)


def test_ties_all_over_are_reproduced_with_a_margin():
    found = compared([run([0.5] * 12, decision="inconclusive")] * 2, can_differ=True)
    assert found.verdict == "reproduced"
    assert found.within > 0
    json.dumps(found.as_json(), allow_nan=False)


def test_other_judges_that_count_are_no_reproduction():
    first = run([1, 1, 0])
    found = compared([first, replace(run([1, 1, 0], name="again-1"), counting=())], can_differ=True)
    assert (found.verdict, found.spread) == ("not reproduced", None)
    assert found.reason == "other judges count: in again-1 no judge, in the run itself openai/judge"


def test_one_prompt_tells_nothing():
    found = compared([run([1], decision="inconclusive"), run([0], decision="inconclusive")], can_differ=True)
    assert (found.verdict, found.within) == ("cannot be told", None)
    assert found.flipping == ("p000",)


def test_no_prompt_in_common_tells_nothing():
    found = compared([run([]), run([1, 1])], can_differ=True)
    assert found.verdict == "cannot be told"
    assert (found.spread, found.flips) == (None, None)
    json.dumps(found.as_json(), allow_nan=False)
    assert "2 of 2 prompts are not scored in every run" in " ".join(found.notes)


def test_what_is_recorded_is_never_called_reproduced():
    found = compared([run([1, 0, 1])], can_differ=False)
    assert (found.verdict, found.within) == ("nothing can differ", None)
    assert "a rerun would be this run" in " ".join(told(found).split())


def test_an_unfinished_rerun_is_named():
    found = compared([run([1, 0, 1]), run([1, 0], name="again-1", complete=False)], can_differ=True)
    assert (found.verdict, found.within) == ("incomplete", None)
    assert found.as_json()["decision"] == "inconclusive"
    assert found.as_json()["complete"] is False


def test_flips_are_listed_with_their_outcomes():
    found = compared([run([1, 1, 0.5, 0]), run([0, 1, 1, 0]), run([1, 1, 1, 0])], can_differ=True)
    assert found.flipping == ("p000", "p002")
    assert (found.as_json()["flips"]["prompts"], found.as_json()["flips"]["decisive"]) == (2, 1)
    assert "p000: won, lost, won" in told(found)


@pytest.mark.parametrize("name", ["a-run-with-a-name-that-goes-on-and-on-" * 4, "läufe\x1b[31m", "一" * 60])
def test_the_report_fits_eighty_columns_and_cannot_steer_the_terminal(name):
    text = told(compared([run(scores, name=name) for scores in several(60)], can_differ=True, notes=["a note " * 30]))
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "\x1b" not in text

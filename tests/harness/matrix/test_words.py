"""A matrix's answers in sentences: what they claim is what the figures say."""

from dataclasses import replace

import numpy as np

from harness.matrix.results import figures_of
from harness.matrix.words import answer, doubts, efficiency, figures
from tests.harness.matrix.made import made
from tests.harness.matrix.test_questions import asked, drawn, result


def struggling(language, encoder, slices):
    rng = np.random.default_rng(3)
    names = [[f"s{place % slices}"] for place in range(300)]
    return asked(
        [
            result("qwen", "t", "lora", drawn(rng, 300, language), slices=names),
            result("bert", "t", "fine-tune", drawn(rng, 300, encoder), family="encoder", slices=names),
        ],
        "struggle",
    )


def test_a_p_value_is_told_with_one_sign():
    told = [figures(each) for each in struggling(0.7, 0.75, 15).contrasts]
    assert told
    assert not [text for text in told if "= =" in text or "= >" in text]


def test_language_models_that_lead_are_not_said_to_be_indistinguishable():
    question = struggling(0.95, 0.6, 15)
    assert [each for each in question.contrasts if each.above == "yes"]
    first = next(answer(question, 0.02))
    assert first == "nowhere that 16 comparisons could show (none is worse with an adjusted p of at most 0.05)"


def test_every_comparison_is_told_or_counted():
    for language, encoder, slices in ((0.6, 0.95, 15), (0.95, 0.6, 15), (0.7, 0.7, 3), (0.7, 0.9, 6)):
        question = struggling(language, encoder, slices)
        told = list(answer(question, 0.02))
        lines = [text for text in told if text.startswith("lora on ")]
        more = [int(text.split()[0]) for text in told if text.endswith("in summary.json")]
        assert len(lines) + sum(more) == len(question.contrasts)


def test_items_that_stood_in_training_are_named_cell_by_cell():
    clean = made(failed=())
    assert not [said for said in doubts(clean) if "training data" in said]
    first, *rest = clean.rows
    leaked = replace(first, figures={**first.figures, "leakage": {"ids": ["i1", "i2", "i3"]}})
    (said,) = (said for said in doubts(replace(clean, rows=(leaked, *rest))) if "training data" in said)
    assert said.endswith(f"({first.cell}: 3 of 200)")


def test_what_was_trained_elsewhere_gains_nothing_by_the_second():
    rows = [replace(row, figures={**row.figures, "training": {"gain_per_s": 0.5}}) for row in made(failed=()).rows]
    gains = {row.cell.mode: figures_of(row)["gain_per_s"] for row in rows}
    assert gains == {"fine-tune": 0.5, "lora": 0.5, "few-shot": None, "zero-shot": None}


def test_what_no_cell_may_differ_in_is_the_first_doubt():
    whole = made(failed=())
    first, *rest = whole.rows
    odd = replace(whole, differences=("they differ",), rows=(replace(first, doubts=("it was edited",)), *rest))
    assert list(doubts(odd))[:2] == ["they differ", f"{first.cell}: it was edited"]


def test_only_what_beats_one_label_can_be_efficient():
    whole = made(failed=())
    idle = [row for row in whole.rows if row.cell.mode == "zero-shot"]
    rows = tuple(
        replace(row, figures={**row.figures, "majority_rate": 0.99}) if row in idle else row for row in whole.rows
    )
    told = list(efficiency(replace(whole, rows=rows)))
    shown = [line for line in told if ": " in line and " n = " in line]
    assert shown and not [line for line in shown if "zero-shot" in line]
    assert all("(95 % " in line and "; n = 200)" in line for line in shown)
    (left,) = (line for line in told if line.startswith("not clearly better than always saying one label"))
    assert all(str(row.cell) in left for row in idle)


def test_an_efficient_cell_beats_one_label_with_clusters_counted():
    whole = made(failed=())
    first, *rest = whole.rows
    few = {**first.figures, "clusters": {"n": 3, "ci": [0.2, 1.0]}}
    told = list(efficiency(replace(whole, rows=(replace(first, figures=few), *rest))))
    (left,) = (line for line in told if line.startswith("not clearly better"))
    assert str(first.cell) in left

"""How rewards become grades: the map stands in the job, is never mixed, and says where it tells nothing apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.judging import settled
from harness.models.spec import Asking, parse
from harness.scoring.further import with_further
from harness.scoring.maps import doubts, map_of, mapped, mixed, refuse_others, told
from harness.scoring.summary import summarize
from judges.reward import on_scale
from tests.harness.scoring.figures_made import ONE_TO_TEN, row, setting

SPEC = "reward/models/x"


def graded(raws, *, center=0.0, spread=1.0, judge=SPEC, **more):
    """The lines of a reward judge as a run writes them."""
    asked = {"center": center, "spread": spread}
    scores = [on_scale(raw, center=center, spread=spread) for raw in raws]
    return [
        row(f"p{place}", score, judge=judge, raw=raw, asked=asked, **more)
        for place, (raw, score) in enumerate(zip(raws, scores, strict=True))
    ]


@pytest.mark.parametrize(
    ("own", "wanted"),
    [(Asking(), (0.0, 1.0)), (Asking(center=2.5), (2.5, 1.0)), (Asking(center=0.0, spread=3.0), (0.0, 3.0))],
)
def test_the_map_of_a_score_run_is_always_written_down(own, wanted):
    spec = replace(parse(SPEC, role="judge"), asking=own)
    found = settled(spec, mode=None, template=None, folder=Path(), criteria=False, kind="score").asking
    assert (found.center, found.spread) == wanted
    # A comparison maps nothing.
    assert settled(spec, mode=None, template=None, folder=Path(), criteria=False).asking == own


def test_a_map_by_which_many_grades_lie_at_the_ends_is_a_doubt():
    found = mapped(graded([-9, -8, -7, 0, 1, 2, 3, 0.5, 8, 9]))[SPEC]
    assert (found.at_low, found.at_high, found.saturated) == (3, 2, True)
    assert found.as_json() == {
        "center": 0.0, "spread": 1.0, "grades": 10, "at_ends": 0.5,
        "rewards": {"lowest": -9, "median": 0.75, "highest": 9},
    }  # fmt: skip
    (said,) = doubts({SPEC: found})
    assert f"{SPEC}: 5 of 10 grades (50 %) lie within 0.1 of the scale's ends" in said
    assert "the map 1 + 9 · logistic((reward − 0) / 1) does not fit rewards from -9 to 9 (median 0.75)" in said


def test_a_fifth_at_the_ends_is_none():
    assert not mapped(graded([-9, 0, 1, 2, 1]))[SPEC].saturated
    assert mapped(graded([-9, 9, 1, 2, 1]))[SPEC].saturated
    # The same rewards by a map that fits them.
    assert not mapped(graded([-9, 9, 1, 2, 1], spread=4.0))[SPEC].saturated


def test_within_a_tenth_of_an_end_is_counted_by_the_grade():
    at, near = 1.0999, 1.1001
    asked = {"center": 0.0, "spread": 1.0}
    lines = [row(f"p{place}", score, judge=SPEC, raw=0.0, asked=asked) for place, score in enumerate((at, near))]
    assert mapped(lines)[SPEC].at_low == 1


def test_both_sides_and_the_summary_count():
    names = {f"p{place}": None for place in range(4)}
    ours, theirs = graded([1, 2, 0, 1]), graded([-9, -9, -9, 8])
    asked = setting(names, {SPEC: ONE_TO_TEN})
    found = with_further(summarize(ours, theirs, asked, judges=[SPEC], complete=True), ours, theirs)
    assert found.as_json()["reward_maps"][SPEC]["grades"] == 8
    assert found.maps[SPEC].saturated
    # A language model's grades have no map.
    plain = [row("p0", 7.0), row("p1", 8.0, asked={"attempts": 1})]
    assert (mapped(plain), [map_of(line) for line in plain]) == ({}, [None, None])


def test_lines_of_several_maps_are_named_and_not_told_as_one():
    lines = [*graded([0, 1]), *graded([2, 3], center=1.5, repeat=1)]
    assert mapped(lines) == {}
    (said,) = mixed(lines)
    assert "reward/models/x: its grades were made by several maps (1 + 9 · logistic((reward − 0) / 1) and " in said
    assert told(lines)[SPEC].endswith("and 1 + 9 · logistic((reward − 1.5) / 1)")
    assert told(graded([0], center=-2.0)) == {SPEC: "1 + 9 · logistic((reward + 2) / 1)"}


def test_a_run_does_not_go_on_with_another_map():
    spec = replace(parse(SPEC, role="judge"), asking=Asking(center=1.0, spread=1.0))
    with pytest.raises(InputError) as found:
        refuse_others(Path("run"), [spec], [("scores.jsonl", line) for line in graded([0, 1])])
    (problem,) = found.value.problems
    assert str(problem) == (
        "run/scores.jsonl: 2 grades by reward/models/x are of another map, 1 + 9 · logistic((reward − 0) / 1), than "
        "the run's, 1 + 9 · logistic((reward − 1) / 1): they do not compare; start a new run"
    )
    refuse_others(Path("run"), [spec], [("scores.jsonl", line) for line in graded([0, 1], center=1.0)])
    # A run of an earlier version says nothing of the map that is meant where none is named.
    refuse_others(Path("run"), [parse(SPEC, role="judge")], [("scores.jsonl", line) for line in graded([0])])

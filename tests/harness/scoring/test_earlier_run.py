"""An earlier run as a baseline: its folder is held against its seals, and what was changed there is named."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.scoring.cast import unsealed
from tests.harness.scoring.made import MIX, flat, suite
from tests.published import lines, write_lines

ANSWERS = "responses.jsonl of the earlier run was {} after it ended; its answers here are those that stand there now"


@pytest.fixture
def earlier(kitchen, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(kitchen.folder / "first", tmp_path / "earlier")


def answer_otherwise(run):
    rows = lines(run / "responses.jsonl")
    write_lines(run / "responses.jsonl", [row | {"responses": ["Better.", "Far better."]} for row in rows])


def change(run, **keys):
    manifest = json.loads((run / "manifest.json").read_text()) | keys
    (run / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def test_an_untouched_folder_has_nothing_said_of_it(earlier):
    assert unsealed(earlier) == []


def test_answers_that_were_changed_or_added_after_the_run_are_named(earlier):
    last = json.dumps(lines(earlier / "responses.jsonl")[-1] | {"responses": ["Best.", "Best."]})
    with (earlier / "responses.jsonl").open("a") as file:
        file.write(f"{last}\n")
    # The last line of a key counts, so that an added one changes an answer as well.
    assert unsealed(earlier) == [ANSWERS.format("added to")]
    answer_otherwise(earlier)
    assert unsealed(earlier) == [ANSWERS.format("edited or cut")]
    (earlier / "responses.jsonl").unlink()
    assert unsealed(earlier) == [ANSWERS.format("edited or cut")]


def test_grades_that_were_changed_after_the_run_are_named_and_not_used(earlier):
    rows = lines(earlier / "scores.jsonl")
    write_lines(earlier / "scores.jsonl", [row | {"score": 1.0} for row in rows])
    said = "scores.jsonl of the earlier run was edited or cut after it ended; its grades are not used"
    assert unsealed(earlier) == [said]


def test_a_question_that_was_changed_after_the_run_is_named(earlier):
    manifest = json.loads((earlier / "manifest.json").read_text())
    change(earlier, suite=manifest["suite"] | {"seed": 4})
    assert unsealed(earlier) == ["the manifest of the earlier run was edited after it ended (suite.seed)"]


def test_a_folder_without_seals_shows_nothing(earlier):
    change(earlier, seals=None)
    (said,) = unsealed(earlier)
    assert "of an earlier run that never ended, so that nothing shows whether they were edited" in said


def test_it_is_said_in_every_report_and_a_run_does_not_go_on_with_other_answers(kitchen, tmp_path, earlier):
    write_lines(earlier / "scores.jsonl", lines(earlier / "scores.jsonl")[1:])
    path = suite(tmp_path, judges=MIX)
    sides = ("--candidate", "openai/newer", "--baseline", earlier)
    done = kitchen.run(tmp_path / "run", *sides, "--json", suite=path)
    assert done.code == 0, done.err
    said = "baseline: scores.jsonl of the earlier run was edited or cut after it ended"
    assert [note for note in done.json["notes"] if note.startswith(said)]
    # The grades are this run's own; and no path stands in what is compared with other runs.
    assert done.json["baseline"] == kitchen.first["judges"]
    assert str(tmp_path) not in (tmp_path / "run/summary.json").read_text()
    for name in ("report.md", "report.html"):
        assert "of the earlier run was edited or cut" in flat((tmp_path / "run" / name).read_text())
    answer_otherwise(earlier)
    again = kitchen("resume", tmp_path / "run")
    assert (again.code, "responses of the baseline has changed since the run began" in again.err) == (2, True)

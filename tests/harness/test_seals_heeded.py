"""A run whose journals were edited says so wherever its figures are used, and one that was gone on with does not."""

import json
import shutil

import pytest

from harness import collect
from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import lines, write_lines

CHECKS = [{"kind": "length", "min": 6}, {"kind": "form", "pattern": r"Dish \d+ (simmers slowly|is cooked).*\."}]
SAID = "judgments.jsonl is not what the run wrote (SHA-256)"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the rubric, which asks nobody."""
    return made.checked(tmp_path_factory.mktemp("run"), lambda _: CHECKS)


@pytest.fixture
def edited(run, tmp_path):
    """A copy in which one verdict was turned."""
    copy = shutil.copytree(run, tmp_path / "edited")
    path = copy / "judgments.jsonl"
    turned = {"A": "B", "B": "A", "tie": "tie"}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    place = next(place for place, row in enumerate(rows) if row["verdict"] != "tie")
    winner = {"candidate": "baseline", "baseline": "candidate"}[rows[place]["winner"]]
    rows[place] |= {"verdict": turned[rows[place]["verdict"]], "winner": winner}
    write_lines(path, rows)
    return copy


def said_by(tmp_path, *arguments):
    """The notes of a verb's object; the text of the same command has to say them too."""
    found = harness(*arguments, "--json", env=environment(tmp_path)).json["notes"]
    # Without blanks, for a long path is broken over lines.
    text = "".join(harness(*arguments, env=environment(tmp_path)).out.split())
    assert all("".join(note.split()) in text for note in found if SAID in note)
    return [note for note in found if SAID in note]


def test_analyze_says_that_a_journal_was_edited(run, edited, tmp_path):
    assert len(said_by(tmp_path, "analyze", edited)) == 1
    assert said_by(tmp_path, "analyze", run) == []


def test_compare_and_check_name_the_run_that_was_edited(run, edited, tmp_path):
    for arguments in (["compare", run, edited], ["check", edited, "--against", run, "--margin", "0.1"]):
        (note,) = said_by(tmp_path, *arguments)
        assert note.startswith(f"{edited}: ")
    assert len(said_by(tmp_path, "check", edited, "--margin", "0.1")) == 1


def test_lines_that_were_added_are_no_edit(run, tmp_path):
    longer = shutil.copytree(run, tmp_path / "longer")
    added = [row | {"judge": "human/ann"} for row in lines(longer / "judgments.jsonl")]
    with (longer / "judgments.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in added)
    assert collect.find(longer).edited == ()


def test_a_torn_journal_is_named_until_the_run_was_gone_on_with(run, tmp_path):
    torn = shutil.copytree(run, tmp_path / "torn")
    whole = (torn / "judgments.jsonl").read_bytes()
    (torn / "judgments.jsonl").write_bytes(whole[: len(whole) // 2])
    assert collect.find(torn).edited == ("judgments.jsonl",)
    done = harness("resume", torn, "--json", env=environment(tmp_path))
    assert (done.code, collect.find(torn).edited) == (0, ())
    assert (torn / "summary.json").read_bytes() == (run / "summary.json").read_bytes()


def test_a_run_that_was_never_sealed_says_nothing(run, tmp_path):
    copy = made.changed(run, tmp_path / "unsealed", lambda manifest: manifest.pop("seals"))
    (copy / "judgments.jsonl").write_bytes(b"")
    assert collect.find(copy).edited == ()

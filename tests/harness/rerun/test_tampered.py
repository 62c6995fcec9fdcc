"""`harness rerun --verify` of runs that were edited: what changed is named, and nothing ends in a traceback."""

import json
import random
import shutil

import pytest

from harness import seal
from harness.models.meter import Meter
from harness.rerun import verify as verifying
from harness.workshop import Workshop
from tests.command import environment
from tests.harness.rerun.made import differences, harness, manifest, verify
from tests.published import lines, write_lines

CONTROL = "controls.jsonl: not what the run wrote (SHA-256)"
VALUES = [None, 0, -1, 4, 7.5, True, "", "x", [], {}, [1], {"a": 1}, "é\ud800", "\0", 10**30, float("inf"), ["p000"]]


def rewrite(run, change):
    """Change a run's manifest in place."""
    value = manifest(run)
    change(value)
    (run / "manifest.json").write_text(json.dumps(value))


def forget(run):
    """Empty the reply cache."""
    harness("cache", "clear", env=environment(run.parent))


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("left", [slice(1, None), slice(0, 0)])
def test_control_pairs_that_are_gone_are_named(run, cached, left):
    if not cached:
        forget(run)
    rows = lines(run / "controls.jsonl")
    write_lines(run / "controls.jsonl", rows[left])
    found = differences(run)
    assert CONTROL in found
    gone = [row for row in rows if row not in rows[left]]
    for row in gone:
        where = "(" + ", ".join(row[key] for key in ("judge", "id", "role", "damage", "order")) + ")"
        assert f"controls.jsonl {where}" in found


def test_the_whole_file_of_control_pairs_may_be_gone(run):
    forget(run)
    (run / "controls.jsonl").unlink()
    assert CONTROL in differences(run)
    (run / "controls.jsonl").mkdir()
    assert CONTROL in differences(run)


@pytest.mark.parametrize("cached", [True, False])
def test_another_seed_is_named(run, cached):
    if not cached:
        forget(run)
    path = run / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    assert "manifest.json suite.seed: not what the run asked (SHA-256)" in differences(run)


def reorder(value):
    value["suite"]["prompts"].reverse()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda value: value["suite"]["prompts"][2].update(turns=["Another question?"]), "suite.prompts p002"),
        (lambda value: value["suite"]["prompts"][2].update(cluster="c"), "suite.prompts p002"),
        (lambda value: value["suite"]["judge_sampling"].update(temperature=0.3), "suite.judge_sampling"),
        (lambda value: value["suite"].update(equivalence=0.2), "suite.equivalence"),
        (lambda value: value["suite"].update(orders="random"), "suite.orders"),
        (lambda value: value["repeats"].update(p001=2), "repeats"),
        (lambda value: value["judges"].pop(), "judges"),
        (lambda value: value["candidate"].update(text="recorded/other.jsonl"), "candidate"),
        (lambda value: value["fingerprints"].update(baseline="0" * 64), "fingerprints"),
        (lambda value: value.update(nonce="once more"), "nonce"),
        (reorder, "suite.prompts, their order"),
    ],
)
def test_what_was_asked_is_sealed_even_where_only_the_journal_speaks(run, change, part):
    forget(run)
    rewrite(run, change)
    assert f"manifest.json {part}: not what the run asked (SHA-256)" in differences(run)
    text = verify(run).out
    assert "byte for byte" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_clock_versions_tokens_and_folders_are_no_part_of_what_was_asked(run):
    value = manifest(run)
    assert seal.changed(value) == []
    value |= {"created": "later", "versions": {}, "git": None, "tokens": {"openai/judge": 3}, "complete": False}
    value["suite"]["folder"] = value["candidate"]["folder"] = "/elsewhere"
    assert seal.changed(value) == []


def test_a_seal_of_journals_alone_is_that_of_an_older_run(run):
    assert set(seal.seal(run)) == {name for name in seal.JOURNALS if (run / name).exists()}
    rewrite(run, lambda value: value["seals"].pop("manifest.json"))
    done = verify(run, "--json")
    assert done.code == 0
    assert any("what was asked is not sealed (the run is older)" in note for note in done.json["notes"])


def test_a_resumed_run_and_its_reruns_are_sealed_too(run):
    done = harness("resume", run, env=environment(run.parent, (run.parent / "url").read_text()))
    assert done.code in (0, 3), done.err
    assert seal.changed(manifest(run)) == []
    assert verify(run).code == 0


def test_verdicts_that_were_only_read_are_counted_in_the_headline(run):
    assert "byte for byte (108 judgments" in " ".join(verify(run).out.split())
    forget(run)
    said = "The same summary, byte for byte; 92 of 124 verdicts replayed, 32 only read from the journal (108 judgments"
    assert said in " ".join(verify(run).out.split())
    assert verify(run, "--json").json["verdicts"] == {"replayed": 92, "journal": 32}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value["suite"].update(seed="3"), "suite.seed: input should be a valid integer, found '3'"),
        (lambda value: value["suite"]["sampling"].update(temperature=9), "suite.sampling: temperature: input should"),
        (lambda value: value["suite"].update(prompts=[]), "suite.prompts: there are none"),
        (lambda value: value["suite"].update(equivalence=0.7), "suite.equivalence: 0.7 is not between 0 and 0.5"),
        (lambda value: value["suite"]["prompts"][1].update(id="p000"), "suite.prompts: the id 'p000' stands twice"),
        (lambda value: value["suite"]["prompts"][1].update(checks=[{"kind": "x"}]), "suite.prompts p001: "),
        (lambda value: value["repeats"].pop("p001"), "p001: 'repeats' does not say how many samples it has"),
        (lambda value: value["repeats"].update(p001=0), "repeats.p001: input should be greater than or equal to 1"),
        (lambda value: value["repeats"].update(p001=10**9), "repeats.p001: 1,000,000,000 samples, where"),
        (lambda value: value["judges"].append(value["judges"][0]), "judges: 'openai/judge' stands twice"),
        (lambda value: value["judges"][0].update(kind="hf"), "judges: 'openai/judge' of kind 'hf' judges nothing"),
        (lambda value: value["candidate"].update(kind="rubric"), "of kind 'rubric' answers nothing"),
        (lambda value: value["candidate"].update(rest="a\0b"), "can be no path"),
        (lambda value: value.update(judge_names=3), "judge_names: input should be a valid list, found 3"),
        (lambda value: value.pop("asked_judges"), "the key 'asked_judges' is missing"),
    ],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_value_that_no_run_writes_is_named(run, change, said, sealed):
    rewrite(run, change)
    if not sealed:
        rewrite(run, lambda value: [value.pop("seals"), value.update(complete=False)])
    assert any(said in found for found in differences(run))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": []}, "controls.jsonl:1: status: "),
        ({"right": "yes"}, "controls.jsonl:1: right: "),
        ({"whole": None}, "controls.jsonl:1: whole: "),
        ({"order": "first"}, "controls.jsonl:1: order: "),
    ],
)
def test_a_control_line_that_no_run_writes_is_named(run, change, said):
    rows = lines(run / "controls.jsonl")
    write_lines(run / "controls.jsonl", [rows[0] | change, *rows[1:]])
    assert any(said in found for found in differences(run))


@pytest.mark.parametrize("text", ["", "3", "[" * 100_000, '{"judges": NaN}', '{"win_rate": 1e999}', "[1e999]"])
def test_any_summary_is_told(run, text):
    (run / "summary.json").write_text(text)
    assert differences(run)
    assert verify(run).code == 1


@pytest.mark.parametrize("seals", [5, {"judgments.jsonl": 3}, {"judgments.jsonl": {"bytes": "x", "sha256": 1}}])
def test_broken_seals_are_differences(run, seals):
    rewrite(run, lambda value: value.update(seals=seals))
    assert differences(run)


class Failing(Workshop):
    """A workshop that breaks where nothing looked for it."""

    @property
    def cache(self):
        raise KeyError("p000")


def test_what_no_check_foresaw_ends_in_a_sentence_too(run):
    workshop = Failing(concurrency=1, meter=Meter(), say=print)
    with pytest.raises(verifying.InputError, match=r"do not fit together \(KeyError: 'p000'\).*was one edited\?"):
        verifying.verify(run, workshop)
    rewrite(run, lambda value: value.update(nonce="x"))
    found = verifying.verify(run, workshop)
    assert found.outcome == "different"
    assert "do not fit together (KeyError: 'p000'), so that it cannot be replayed" in found.differences[-1].what


def places(value, path=()):
    """The path to every value inside a JSON value, of lists the first three."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


def tamper(path, rng):
    """Delete or change one thing of a file of a run."""
    if rng.random() < 0.1:
        path.write_text("")
        return
    rows = [manifest(path.parent)] if path.suffix == ".json" else lines(path)
    place = rng.randrange(len(rows))
    if path.suffix == ".jsonl" and rng.random() < 0.3:
        del rows[place]
    else:
        *way, last = rng.choice(list(places(rows[place])))
        inner = rows[place]
        for step in way:
            inner = inner[step]
        if rng.random() < 0.25:
            del inner[last]
        else:
            inner[last] = rng.choice(VALUES)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(n, marks=pytest.mark.chaos) for n in range(6, 30))])
def test_nothing_that_is_done_to_a_run_ends_in_a_traceback(run, seed, tmp_path):
    rng = random.Random(seed)
    if rng.random() < 0.5:
        shutil.rmtree(run.parent / "cache")
    if rng.random() < 0.3:
        rewrite(run, lambda value: value.pop("seals"))
    name = rng.choice(["manifest.json", "manifest.json", "responses.jsonl", "judgments.jsonl", "controls.jsonl"])
    tamper(run / name, rng)
    done = verify(run, *(["--json"] if seed % 2 else []))
    assert done.code in (0, 1, 2)
    assert done.out or done.err

"""A run knows which of its prompts its checkpoints were trained on, and says what its figures are without them."""

import json
import random
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from harness import verbs
from harness.errors import InputError
from harness.launch import Options
from harness.leakage import FILE, TrainingExample, TrainingIndex
from tests.command import environment, harness, world
from tests.harness.leakage.made import manifest
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines, write_lines
from tests.tiny import adapter, checkpoint

N = 24
NAMES = [f"p{place:02d}" for place in range(N)]
# The candidate wins what it was trained on, and half of the rest.
EXACT, NEAR = NAMES[:12], NAMES[12:14]
LEAKED = [*EXACT, *NEAR]
WON = {*LEAKED, *NAMES[14:19]}
LOSSES = [name for name in NAMES if name not in WON]


def texts() -> dict[str, str]:
    """Prompts of words that share next to nothing."""
    rng = random.Random(5)
    made = ["".join(rng.choices("bcdfgklmnprstvz", k=2) + rng.choices("aeiou", k=4)) for _ in range(9 * N)]
    return {name: " ".join(made[9 * place : 9 * place + 9]) for place, name in enumerate(NAMES)}


def index(folder: Path, *trained: str) -> Path:
    examples = (TrainingExample(file="train.jsonl", line=n, turns=(text,)) for n, text in enumerate(trained, 1))
    TrainingIndex.build(examples).save(folder / FILE)
    return folder


def judged(names=NAMES, judge="gpt"):
    return [
        {"id": name, "judge": judge, "order": order, "winner": "candidate" if name in WON else "baseline"}
        | {"status": "ok", "verdict": "A" if (name in WON) == (order == "candidate_first") else "B"}
        for name in names
        for order in ("candidate_first", "baseline_first")
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base, an adapter trained on more than half of the prompts, one trained on others, and a suite to ask."""
    folder = tmp_path_factory.mktemp("place")
    asked = texts()
    index(checkpoint(folder / "base"), "an honest base knows no word of them", "nor do two")
    adapter(folder / "leaky", folder / "base")
    adapter(folder / "honest", folder / "base")
    changed = [" ".join([*asked[name].split()[:-1], "changed"]) for name in NEAR]
    index(folder / "leaky", *(asked[name].upper() for name in EXACT), *changed, "something else")
    index(folder / "honest", "how is a stew made", "what goes with rice", "why is the bread brown")
    checkpoint(folder / "foreign", seed=3)
    write_lines(folder / "prompts.jsonl", [{"id": name, "prompt": text} for name, text in asked.items()])
    write_lines(folder / "baseline.jsonl", [{"id": name, "response": f"Never {name}."} for name in NAMES])
    write_lines(folder / "judged.jsonl", judged())
    (folder / "suite.yaml").write_text(
        "name: words\nprompts: prompts.jsonl\ncandidate: hf/base+leaky\nbaseline: recorded/baseline.jsonl\n"
        "judges: [recorded/judged.jsonl]\nsampling: {temperature: 0, max_tokens: 4}\nseed: 3\n"
    )
    return folder


@pytest.fixture(scope="module", autouse=True)
def surroundings(place):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(place).items():
            patch.setenv(name, value)
        yield


def run(place, out, **more):
    """Run the suite in this process; relative specs stand beside the suite."""
    gate = more.pop("fail_on_leakage", False)
    for role in ("candidate", "baseline"):
        if role in more:
            more[role] = more[role].replace("HERE", str(place))
    options = Options(**more)
    suite = str(place / "suite.yaml")
    return verbs.run(suite, options, out=out, as_json=False, resolve=lambda spec, _: spec, fail_on_leakage=gate)


def summary(out):
    return json.loads((out / "summary.json").read_text())


@pytest.fixture(scope="module")
def finished(place):
    assert run(place, place / "run") == 0
    return place / "run"


def test_the_figures_stand_with_and_without_what_leaked(finished):
    found = summary(finished)
    leakage = found["leakage"]
    assert {key: leakage[key] for key in ("exact", "near", "ids")} == {"exact": 12, "near": 2, "ids": LEAKED}
    assert (found["decision"], leakage["decision_without_leaked"]) == ("better", "inconclusive")
    without = leakage["without_leaked"]
    assert (without["n"], without["wins"], without["losses"], without["win_rate"]) == (10, 5, 5, 0.5)
    assert leakage["checked"] == {"candidate": 17, "baseline": None}
    assert leakage["seen"] == {"candidate": 14, "baseline": 0}


def test_without_what_leaked_is_what_a_run_without_those_prompts_says(finished, tmp_path, capsys):
    clean = write_lines(tmp_path / "clean.jsonl", judged([name for name in NAMES if name not in LEAKED]))
    assert verbs.analyze([clean], out=None, equivalence=None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["judges"]["gpt"] == summary(finished)["leakage"]["without_leaked"]


def test_the_finding_is_in_the_manifest_and_no_path_is_in_the_summary(finished, place):
    held = json.loads((finished / "manifest.json").read_text())["leakage"]
    assert (held["exact"], held["near"]) == (EXACT, NEAR)
    assert str(place) not in json.dumps(summary(finished)["leakage"])


def test_a_turned_decision_is_the_first_doubt_in_every_report(finished, capsys):
    turned = (
        "without the 14 of 24 prompts that stand in training data, the decision would be “inconclusive” "
        "(the interval holds 1/2), not “better”"
    )
    markdown = (finished / "report.md").read_text()
    assert f"## What to doubt\n\n- {turned}\n" in markdown
    assert "| without the leaked | 10 | 50 % | 24–76 | 5–5–0 | 1 |" in markdown
    page = (finished / "report.html").read_text()
    assert page.index("What to doubt") < page.index(turned)
    assert '<a href="#id=p00"><bdi>p00</bdi></a>' in page
    verbs.analyze([finished], out=None, equivalence=None, as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert f"what to doubt {turned}" in told
    assert "14 of 24 prompts stand in training data (the candidate's 14; 12 exactly, 2 nearly; 17 examples" in told


def test_analyze_and_resume_need_no_index(finished, place, tmp_path, capsys):
    whole = shutil.copytree(finished, tmp_path / "run")
    kept = (place / "leaky" / FILE).read_bytes()
    (place / "leaky" / FILE).unlink()
    try:
        for name in ("summary.json", "report.md", "report.html"):
            (whole / name).unlink()
        write_lines(whole / "judgments.jsonl", lines(whole / "judgments.jsonl")[:7])
        assert verbs.resume(whole, concurrency=2, as_json=True) == 0
    finally:
        (place / "leaky" / FILE).write_bytes(kept)
    for name in ("summary.json", "report.md"):
        assert (whole / name).read_bytes() == (finished / name).read_bytes()
    capsys.readouterr()
    verbs.analyze([whole], out=None, equivalence=None, as_json=True)
    assert json.loads(capsys.readouterr().out) == summary(finished)


def test_what_leaked_is_kept_beside_other_inputs(finished, tmp_path, capsys):
    labels = write_lines(tmp_path / "labels.jsonl", judged(judge="human/ann"))
    assert verbs.analyze([finished, labels], out=None, equivalence=None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["leakage"] == summary(finished)["leakage"]


def test_only_the_drawn_prompts_count(place, tmp_path, capsys):
    run(place, tmp_path / "run", limit=9)
    drawn = [prompt["id"] for prompt in json.loads((tmp_path / "run/manifest.json").read_text())["suite"]["prompts"]]
    leakage = summary(tmp_path / "run")["leakage"]
    assert (len(drawn), leakage["prompts"]) == (9, 9)
    assert leakage["ids"] == [name for name in drawn if name in EXACT] + [name for name in drawn if name in NEAR]
    assert leakage["without_leaked"]["n"] == 9 - len(leakage["ids"])


def test_where_nothing_leaked_one_line_says_so(place, tmp_path, capsys):
    arguments = {"candidate": "hf/HERE/base+HERE/honest", "baseline": "hf/HERE/base"}
    assert run(place, tmp_path / "run", **arguments, fail_on_leakage=True) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "no prompt of 24 stands in the training data of candidate or baseline (5 examples compared)" in told
    found = summary(tmp_path / "run")
    leakage = found["leakage"]
    assert {key: leakage[key] for key in ("exact", "near", "ids")} == {"exact": 0, "near": 0, "ids": []}
    whole = {key: value for key, value in found["judges"]["gpt"].items() if key != "length_controlled"}
    assert leakage["without_leaked"] == whole
    assert leakage["checked"] == {"candidate": 5, "baseline": 2}
    assert not any("training data" in note for note in found["notes"])


def test_where_everything_leaked_nothing_is_left(place, tmp_path, capsys):
    shutil.copytree(place / "foreign", tmp_path / "all")
    index(tmp_path / "all", *texts().values())
    assert run(place, tmp_path / "run", candidate=f"hf/{tmp_path / 'all'}") == 0
    leakage = summary(tmp_path / "run")["leakage"]
    without = leakage["without_leaked"]
    assert (leakage["exact"], without["n"], without["win_rate"], without["ci"]) == (24, 0, None, None)
    assert "the decision would be “inconclusive” (no prompt is left), not “better”" in " ".join(
        capsys.readouterr().out.split()
    )


def test_of_a_foreign_checkpoint_the_notes_say_that_leakage_cannot_be_ruled_out(place, tmp_path, capsys):
    code = run(place, tmp_path / "run", candidate="hf/HERE/foreign", fail_on_leakage=True)
    assert code == 3
    assert "leakage cannot be told: no training data are known of candidate or baseline" in capsys.readouterr().err
    found = summary(tmp_path / "run")
    assert "leakage" not in found
    assert [note for note in found["notes"] if "training data" in note] == [
        "the training data of the candidate are unknown (no training_index.npz), so leakage from there cannot be "
        "ruled out; `harness leakage --train FILE` compares the files you have"
    ]


def test_of_recorded_responses_nothing_is_said(tmp_path, capsys):
    suite = world(tmp_path, 6, judges="[control/longest]")
    assert verbs.run(str(suite), Options(), out=tmp_path / "run", as_json=True, resolve=lambda spec, _: spec) == 0
    found = summary(tmp_path / "run")
    assert "leakage" not in found
    assert not any("training" in note for note in found["notes"])


def test_an_index_that_training_did_not_write_stops_the_run_before_it_begins(place, tmp_path, capsys):
    folder = shutil.copytree(place / "leaky", tmp_path / "tampered")
    manifest(folder, "0" * 64)
    with pytest.raises(InputError, match=r"tampered/training_index\.npz: is not the index that training wrote"):
        run(place, tmp_path / "run", candidate=f"hf/HERE/base+{folder}")
    assert not (tmp_path / "run").exists()


# The gate


def test_leakage_fails_the_gate_where_one_is_asked_for(finished, place, tmp_path, capsys):
    assert run(place, tmp_path / "run", fail_on_leakage=True) == 1
    said = "leakage: 14 of 24 prompts stand in training data (the candidate's 14; 12 exactly, 2 nearly"
    assert said in capsys.readouterr().err
    done = harness("analyze", finished, "--fail-on-leakage", "--json", env=environment(tmp_path))
    assert done.code == 1
    assert said in done.err
    assert done.json == summary(finished)


def test_the_gate_passes_where_nothing_leaked_and_is_inconclusive_where_nothing_is_known(finished, tmp_path, capsys):
    def gate(leakage):
        whole = shutil.copytree(finished, tmp_path / "run", dirs_exist_ok=True)
        known = json.loads((whole / "manifest.json").read_text()) | {"leakage": leakage}
        (whole / "manifest.json").write_text(json.dumps(known))
        return verbs.analyze([whole], out=None, equivalence=None, as_json=True, fail_on_leakage=True)

    none = {"exact": [], "near": [], "prompts": 24, "examples": 5, "unknown": []}
    assert gate(none | {"checked": {"candidate": 5, "baseline": None}, "seen": {}}) == 0
    assert gate(None) == 3
    labels = write_lines(tmp_path / "labels.jsonl", judged())
    assert verbs.analyze([labels], out=None, equivalence=None, as_json=True, fail_on_leakage=True) == 3


@pytest.mark.parametrize(
    ("answers", "faults", "code"),
    [
        # A judge that always names the first is unusable (3); an endpoint that stays away leaves a run incomplete (4).
        (policy.first, [], 1),
        (policy.longest, [Fault(kind="rate_limit", retry_after="61")], 4),
    ],
)
def test_leakage_outranks_an_unusable_judge_and_not_an_incomplete_run(
    place, tmp_path, monkeypatch, capsys, answers, faults, code
):
    with Loopback(policy=answers, faults=faults) as server:
        for name, value in environment(tmp_path, server.url).items():
            monkeypatch.setenv(name, value)
        assert run(place, tmp_path / "run", judges=("openai/judge",), limit=8, fail_on_leakage=True) == code
    assert summary(tmp_path / "run")["leakage"]["ids"]

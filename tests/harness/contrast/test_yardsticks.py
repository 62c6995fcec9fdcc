"""Runs that measured the same answers with another yardstick, and what equal candidates then say, by the command."""

import json

import pytest

from judges.template import load
from tests.command import environment, harness, world
from tests.harness.contrast import made
from tests.loopback import Loopback
from tests.published import lines, write_lines


@pytest.fixture
def said(tmp_path):
    def run(verb, *arguments, code=0):
        done = harness(verb, *arguments, env=environment(tmp_path))
        assert done.code == code, (done.out, done.err)
        return " ".join((done.err if code == 2 else done.out).split())

    return run


def notes_of(tmp_path, *arguments):
    return " ".join(harness("compare", *arguments, "--json", env=environment(tmp_path)).json["notes"])


def prompts_of(manifest):
    return manifest["suite"]["prompts"]


def other_reference(manifest):
    for place in (4, 2):
        prompts_of(manifest)[place]["reference"] = ["It simmers."]


def other_checks(manifest):
    prompts_of(manifest)[7]["checks"] = [{"kind": "length", "max": 5}]


def other_system(manifest):
    prompts_of(manifest)[3]["system"] = "You are a cook."


def judged_elsewhere(manifest):
    manifest["judges"] = [judge | {"text": "recorded/j.jsonl", "kind": "recorded"} for judge in manifest["judges"]]


@pytest.fixture(scope="module")
def rubrics(tmp_path_factory):
    """Two runs of the same answers, of which one asks for thyme and the other for its absence."""
    folder = tmp_path_factory.mktemp("rubrics")
    full, thin = {"kind": "mention", "any": ["thyme"], "name": "full"}, {"kind": "avoid", "words": ["thyme"]}

    def own(place):
        # Control pairs ask for what the answers of other prompts lack.
        return {"kind": "mention", "any": [f"dish {place}"]}

    thyme = made.checked(folder / "a", lambda place: [full, own(place)])
    return thyme, made.checked(folder / "b", lambda place: [own(place), thin])


def test_other_checks_are_refused_and_named(said, rubrics):
    message = said("compare", *rubrics, code=2)
    assert f"other checks under the same ids as in {rubrics[0]}: 'p000', 'p001', 'p002' and 13 more;" in message
    assert "--allow-mixed compares nevertheless and says so" in message
    assert "other checks under the same ids" in said("check", rubrics[1], "--against", rubrics[0], code=2)
    mixed = said("compare", *rubrics, "--allow-mixed")
    assert "MIXED" in mixed
    assert "any difference is chance" not in mixed
    assert "(equal fingerprints), and this is not the same: checks; a difference may come of that" in mixed


def test_the_order_of_checks_and_their_names_are_nothing(said, rubrics, tmp_path):
    def turned(manifest):
        for prompt in prompts_of(manifest):
            prompt["checks"] = [
                {key: check[key] for key in reversed(check) if key != "name"} for check in reversed(prompt["checks"])
            ]

    other = made.changed(rubrics[0], tmp_path / "x", turned)
    assert "any difference is chance" in said("compare", rubrics[0], other)


def test_another_reference_is_refused_where_models_judge(said, runs, tmp_path):
    other = made.changed(runs[1], tmp_path / "x", other_reference)
    message = said("compare", runs[0], other, code=2)
    assert f"other references under the same ids as in {runs[0]}: 'p002' and 'p004'; --allow-mixed" in message
    assert "other references" in said("check", other, "--against", runs[0], "--margin", "0.1", code=2)
    found = harness("compare", runs[0], other, "--allow-mixed", "--json", env=environment(tmp_path)).json
    assert ["other references" in reason for reason in found["mixed"]] == [True]


def test_what_no_judge_reads_is_said_and_not_refused(said, runs, rubrics, tmp_path):
    other = made.changed(runs[1], tmp_path / "x", other_checks)
    assert "other checks under the same ids" in said("compare", runs[0], other)
    other = made.changed(rubrics[0], tmp_path / "y", other_reference)
    text = said("compare", rubrics[0], other)
    assert "no judge that counts reads them" in text
    assert "any difference is chance" in text


def test_judges_from_elsewhere_may_have_read_everything(said, runs, tmp_path):
    def elsewhere(manifest):
        judged_elsewhere(manifest)
        other_checks(manifest)

    a = made.changed(runs[0], tmp_path / "a", judged_elsewhere)
    b = made.changed(runs[1], tmp_path / "b", elsewhere)
    assert "other checks under the same ids" in said("compare", a, b, code=2)


def test_another_system_message_is_another_prompt_and_named_so(said, runs, tmp_path):
    other = made.changed(runs[1], tmp_path / "x", other_system)
    message = said("compare", runs[0], other, "--allow-mixed", code=2)
    assert "1 prompt ('p003') has another system message than in" in message
    assert "another text" not in message


def test_another_prompt_is_not_said_to_have_other_checks_too(said, runs, tmp_path):
    def both(manifest):
        prompts_of(manifest)[2]["turns"] = ["Something else?"]
        prompts_of(manifest)[2]["reference"] = ["Yes."]

    message = said("compare", runs[0], made.changed(runs[1], tmp_path / "x", both), code=2)
    assert "another text" in message
    assert "references" not in message


def test_single_prompts_that_were_sampled_otherwise_are_said(runs, tmp_path):
    def hotter(manifest):
        prompts_of(manifest)[1]["sampling"] = {"temperature": 1.5}

    def oftener(manifest):
        manifest["repeats"] = {name: 1 + (name in ("p000", "p005")) for name in manifest["repeats"]}

    def oftener_elsewhere(manifest):
        manifest["repeats"] = {name: 1 + (name in ("p000", "p006")) for name in manifest["repeats"]}

    hot = made.changed(runs[1], tmp_path / "hot", hotter)
    assert f"sampling differs for 1 prompt ('p001') between {runs[0]} and {hot}" in notes_of(tmp_path, runs[0], hot)
    some = made.changed(runs[0], tmp_path / "some", oftener)
    others = made.changed(runs[1], tmp_path / "others", oftener_elsewhere)
    said = notes_of(tmp_path, some, others)
    assert "samples a prompt differs for 2 prompts ('p005' and 'p006')" in said
    assert "samples a prompt differs: 1 in" in notes_of(tmp_path, runs[0], others)


def test_a_setting_that_the_suite_says_is_not_said_again_of_its_prompts(runs, tmp_path):
    other = made.changed(runs[1], tmp_path / "x", lambda m: m["suite"]["sampling"].update(temperature=0.1))
    said = notes_of(tmp_path, runs[0], other)
    assert "sampling differs: temperature 0.75" in said
    assert "prompts ('p000'" not in said


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda m: m["suite"].update(orders="random"), "orders"),
        (lambda m: m["suite"]["judge_sampling"].update(temperature=1.0), "judge sampling"),
        (lambda m: m["fingerprints"].update({"template of openai/judge": "0" * 64}), "judges' templates"),
        (lambda m: (m["baseline"].update(kind="hf", text="hf/x"), m["fingerprints"].update(baseline="0")), "baselines"),
        (lambda m: (m["suite"].update(name="soups"), prompts_of(m)[0].update(repeats=2)), "suites"),
        (lambda m: m["repeats"].update(p000=2), "samples a prompt"),
    ],
)
def test_equal_candidates_are_chance_only_where_nothing_else_differs(runs, tmp_path, change, named):
    other = made.changed(runs[0], tmp_path / "x", change)
    said = notes_of(tmp_path, runs[0], other, "--allow-mixed")
    assert f"this is not the same: {named}; a difference may come of that" in said
    assert "any difference is chance" not in said


def test_equal_candidates_on_other_prompts_are_not_chance_alone(runs, tmp_path):
    other = made.changed(runs[0], tmp_path / "x", other_system)
    assert "this is not the same: prompts;" in notes_of(tmp_path, runs[0], other, "--unpaired")
    same = made.changed(runs[0], tmp_path / "y", lambda manifest: None)
    assert "any difference is chance" in notes_of(tmp_path, runs[0], same)
    assert json.loads((same / "manifest.json").read_text())["complete"]


def another_mode(manifest):
    manifest["judges"][0]["asking"] = {"mode": "verdict-token", "template": "pairwise"}


def other_criteria(manifest):
    manifest["suite"]["criteria"] = [{"name": "depth", "about": "", "low": 1, "high": 5}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (another_mode, "openai/judge judged otherwise: verdict-token mode here, generation mode in"),
        (other_criteria, "openai/judge judged otherwise: generation mode, criteria depth 1–5 here, generation mode in"),
    ],
)
def test_a_judge_that_was_asked_otherwise_is_another_yardstick(said, runs, tmp_path, change, says):
    other = made.changed(runs[1], tmp_path / "x", change)
    assert says in said("compare", runs[0], other, code=2)
    assert says in said("check", other, "--against", runs[0], "--margin", "0.1", code=2)
    assert "judged otherwise" in notes_of(tmp_path, runs[0], other, "--allow-mixed")


def panel_of_two(folder, more=""):
    """A run of two judges that disagree on a third of the prompts; `more` are further keys of its suite."""
    suite = world(folder, 30, judges="[recorded/verdicts.jsonl]")
    suite.write_text(suite.read_text() + more)
    rows = [
        {"id": f"p{place:03d}", "judge": judge, "preference": 0.9 if place % 3 or judge == "m" else 0.2}
        for place in range(30)
        for judge in ("m", "n")
    ]
    write_lines(folder / "verdicts.jsonl", rows)
    assert harness("run", suite, "--out", folder / "run", env=environment(folder)).code == 0
    return folder / "run"


def test_panels_that_decide_by_other_rules_are_other_yardsticks(said, tmp_path):
    a, b = panel_of_two(tmp_path / "a"), panel_of_two(tmp_path / "b", "panel: mean\n")
    assert "the panel judged otherwise: mean here, majority in" in said("compare", a, b, code=2)
    assert "the panel judged otherwise" in notes_of(tmp_path, a, b, "--allow-mixed")


@pytest.mark.chaos
def test_a_key_that_the_judge_is_shown_is_part_of_the_question(said, tmp_path):
    def run(folder, persona, template):
        suite = world(folder, 24)
        prompts = [line | {"persona": persona} for line in lines(folder / "prompts.jsonl")]
        write_lines(folder / "prompts.jsonl", prompts)
        with Loopback(policy=made.judge) as server:
            env = environment(folder, server.url)
            harness("run", suite, "--judge-template", template, "--out", folder / "run", env=env)
        return folder / "run"

    mine = tmp_path / "mine.md"
    mine.write_text(load().source.replace("=== user ===", "Judge as {{ persona }}.\n=== user ==="))
    cook, poet = run(tmp_path / "a", "a cook", mine), run(tmp_path / "b", "a poet", mine)
    assert "other references under the same ids" in said("compare", cook, poet, code=2)
    plain = run(tmp_path / "c", "a cook", "pairwise"), run(tmp_path / "d", "a poet", "pairwise")
    assert "other references" not in said("compare", *plain, "--allow-mixed")

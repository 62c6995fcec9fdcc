"""How judges are asked: by the suite's keys, by the command line, and never in a way that was not asked for."""

import json

import pytest

from harness import suite as suites
from harness.errors import InputError
from harness.judging import fits, settled, template_of
from harness.launch import Options, settled_judges
from harness.models.spec import Asking, parse
from judges.build import BUILDERS
from judges.template import Template
from judges.types import Criterion, Prompt, Ruling
from tests.command import environment, harness, world
from tests.loopback import Loopback, policy
from tests.published import lines


def suite_with(folder, text):
    path = world(folder)
    path.write_text(path.read_text().replace("judges: [openai/judge]\n", "") + text)
    return path


def load(folder, text):
    return suites.load(suite_with(folder, text))


def refused(folder, text):
    with pytest.raises(InputError) as caught:
        load(folder, text)
    return [str(problem) for problem in caught.value.problems]


def test_a_suite_says_how_each_judge_is_asked(tmp_path):
    text = (
        "judges: [{spec: hf/x, mode: generation}, openai/y, {spec: reward/z, margin: 0.5}, rubric]\n"
        "judge_mode: verdict_token\n"
    )
    found = {spec.text: spec.asking for spec in settled_judges(load(tmp_path, text), Options())}
    assert found["hf/x"] == Asking(mode="generation", template="pairwise")
    assert found["openai/y"] == Asking(mode="verdict-token", template="verdict")
    assert found["reward/z"] == Asking(margin=0.5)
    assert found["rubric"] == Asking()


def test_without_a_word_judges_write_their_verdicts(tmp_path):
    (found,) = settled_judges(load(tmp_path, "judges: [hf/x]\n"), Options())
    assert found.asking == Asking(mode="generation", template="pairwise")


def test_the_command_line_outweighs_the_suite(tmp_path):
    suite = load(tmp_path, "judges: [{spec: hf/x, mode: generation}]\n")
    (found,) = settled_judges(suite, Options(judge_mode="verdict-token"))
    assert found.asking.mode == "verdict-token"


@pytest.mark.parametrize(
    ("spec", "asking", "says"),
    [
        ("rubric", Asking(mode="generation"), "no language model, so it takes no 'mode'"),
        ("control/first", Asking(template="verdict"), "no language model, so it takes no 'template'"),
        ("openai/x", Asking(margin=0.1), "gives no reward"),
        ("rubric", Asking(margin=0.1), "gives no reward"),
        ("anthropic/x", Asking(mode="verdict-token"), "no probabilities of tokens"),
    ],
)
def test_what_does_not_apply_to_a_judge_is_refused(tmp_path, spec, asking, says):
    from dataclasses import replace

    judge = replace(parse(spec, role="judge"), asking=asking)
    with pytest.raises(InputError, match=says):
        settled(judge, mode=None, template=None, folder=tmp_path, criteria=False)


def test_criteria_are_not_graded_where_nothing_is_written(tmp_path):
    suite = load(tmp_path, "judges: [hf/x]\njudge_mode: verdict-token\ncriteria: [accuracy]\n")
    with pytest.raises(InputError, match="verdict-token mode writes nothing"):
        settled_judges(suite, Options())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("criteria: [accuracy, style]\n", (Criterion(name="accuracy"), Criterion(name="style"))),
        (
            "criteria: {accuracy: facts are right, style: {about: reads well, scale: [1, 10]}, depth: [0, 3]}\n",
            (
                Criterion(name="accuracy", about="facts are right"),
                Criterion(name="style", about="reads well", high=10),
                Criterion(name="depth", low=0, high=3),
            ),
        ),
        ("criteria: [{name: accuracy, scale: [1, 7]}]\n", (Criterion(name="accuracy", high=7),)),
    ],
)
def test_criteria_are_read_in_every_form(tmp_path, text, expected):
    assert load(tmp_path, f"judges: [rubric]\n{text}").criteria == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("criteria: [accuracy, accuracy]\n", "'accuracy' stands twice"),
        ("criteria: [{name: accuracy, scale: [5, 1]}]\n", "low before high"),
        ("panel: loudest\n", "panel.rule"),
        ("panel: {rule: unanimous, gold: human/a}\n", "a unanimous panel has no weights"),
        ("judge_mode: telepathy\n", "judge_mode"),
        ("judge_template: nowhere.md\n", "no judge template 'nowhere.md'"),
        ("judges: [{spec: hf/x, template: nowhere}]\n", "no judge template 'nowhere'"),
        ("judges: [{spec: hf/x, volume: 3}]\n", "volume"),
    ],
)
def test_a_faulty_key_is_named_with_its_line(tmp_path, text, says):
    found = refused(tmp_path, text)
    assert any(says in problem and ":6:" in problem for problem in found), found


def test_a_template_must_fit_every_prompt():
    mine = Template("mine", "=== system ===\nx\n=== user ===\n{{ persona }} {{ a[0] }} {{ b[0] }}")
    prompts = [Prompt(id="p", turns=("q",)), Prompt(id="r", turns=("q",), extra={"persona": "cook"})]
    with pytest.raises(InputError, match="names a field that prompt 'p' lacks"):
        fits(mine, prompts, ())
    fits(mine, prompts[1:], ())


def test_a_judge_that_differs_in_wording_is_one_template_file(tmp_path):
    suite = world(tmp_path, 4)
    (tmp_path / "terse.md").write_text(
        "=== system ===\nYou judge.\n=== user ===\n{% for turn in turns %}{{ turn }}{% endfor %}\n"
        "<<<ANSWER A>>>\n{{ a[0] }}\n<<<END OF ANSWER A>>>\n<<<ANSWER B>>>\n{{ b[0] }}\n<<<END OF ANSWER B>>>\n"
        "End with [[A]], [[B]] or [[C]].\n"
    )
    suite.write_text(suite.read_text() + "judge_template: terse.md\n")
    with Loopback(policy=policy.longest) as server:
        done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url))
    assert done.json["judges"]["openai/judge"]["n"] == 4
    assert all("You judge." in str(seen.body) for seen in server.requests)
    assert {line["mode"] for line in lines(tmp_path / "run" / "judgments.jsonl")} == {"generation"}


def test_a_template_whose_field_the_prompts_lack_stops_before_the_first_call(tmp_path):
    suite = world(tmp_path, 4)
    (tmp_path / "mine.md").write_text("=== system ===\nx\n=== user ===\n{{ persona }} {{ a[0] }} {{ b[0] }}\n")
    with Loopback() as server:
        env = environment(tmp_path, server.url)
        done = harness("run", suite, "--judge-template", tmp_path / "mine.md", env=env)
    assert (done.code, server.requests) == (2, [])
    assert "names a field that prompt 'p000' lacks ('persona' is undefined)" in done.err
    assert "(4 of 4 prompts)" in done.err


def test_a_new_kind_of_judge_is_one_module_and_one_line(tmp_path, monkeypatch):
    class Vowels:
        name = "vowels"

        async def judge(self, shown, *, rng, repeat=0):
            counts = [sum(text.count(vowel) for text in texts for vowel in "aeiou") for texts in (shown.a, shown.b)]
            verdict = "tie" if counts[0] == counts[1] else "A" if counts[0] > counts[1] else "B"
            return Ruling(verdict=verdict, status="ok")

    monkeypatch.setitem(BUILDERS, "vowels", lambda wanted: Vowels())
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    from harness import verbs

    suite = suites.load(world(tmp_path, 6, better=1.0, judges="[vowels]"))
    verbs.run_suite(suite, Options(), out=tmp_path / "run", as_json=True, resolve=lambda spec, _: spec)
    found = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert found["judges"]["vowels"]["wins"] == 6


def test_a_mode_that_is_not_known_is_refused_with_those_that_are(tmp_path):
    done = harness("run", world(tmp_path), "--judge-mode", "psychic", env=environment(tmp_path))
    assert (done.code, done.err) == (2, "error: --judge-mode 'psychic' is not known; use generation or verdict-token\n")


def test_an_old_manifest_without_these_keys_is_still_a_job():
    spec = parse("openai/x", role="judge")
    assert template_of(spec) is not None


def test_a_template_that_hides_an_answer_is_refused_before_the_first_call(tmp_path):
    suite = world(tmp_path, 4)
    (tmp_path / "half.md").write_text("=== system ===\nx\n=== user ===\n{{ a[0] }} [[A]] or [[B]]?\n")
    with Loopback() as server:
        env = environment(tmp_path, server.url)
        half = harness("run", suite, "--judge-template", tmp_path / "half.md", env=env)
        grade = harness("run", suite, "--judge-template", "grade", env=env)
    assert (half.code, grade.code, server.requests) == (2, 2, [])
    assert "never names 'b', so that a judge would not see what it is asked about" in half.err
    assert "never names 'a' and 'b' (it grades one answer)" in grade.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("judges: [anthropic/x]\njudge_mode: verdict-token\n", "no probabilities of tokens"),
        ("judges: [hf/x]\njudge_mode: verdict-token\ncriteria: [depth]\n", "verdict-token mode writes nothing"),
        ("judges: [{spec: openai/x, margin: 1}]\n", "gives no reward"),
        ("judges: [{spec: rubric, mode: generation}]\n", "no language model"),
        ("judges: [openai/x, openai/x]\n", "given twice"),
        ("judges: [openai/x]\npanel: {gold: human/a}\n", "not among the judges"),
        ("judges: [openai/x]\njudge_template: grade\n", "grades one answer"),
        ("judges: [openai/x]\njudge_template: verdict\ncriteria: [depth]\n", "never names 'criteria'"),
        ("judges: [7]\n", "give a judge's spec, or {spec, mode, template, margin}"),
        ("judges: [{spec: hf/x, mod: generation}]\n", "unknown key 'judges.0.mod'"),
    ],
)
def test_validate_finds_what_a_run_would_refuse(tmp_path, text, says):
    done = harness("validate", suite_with(tmp_path, text), env=environment(tmp_path))
    assert done.code == 2
    assert says in done.out
    assert f"{tmp_path}/suite.yaml:6: " in done.out

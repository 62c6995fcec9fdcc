"""Suites are checked whole before anything runs; every problem has a line, a value and a way out."""

import pytest

from harness import suite as suites
from harness.errors import InputError


def write(tmp_path, text, prompts='{"id": "a", "prompt": "x"}\n'):
    (tmp_path / "p.jsonl").write_text(prompts)
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


def said(path):
    with pytest.raises(InputError) as caught:
        suites.load(path)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def test_a_suite_with_defaults(tmp_path):
    suite = suites.load(write(tmp_path, "name: s\nprompts: p.jsonl\n"))
    assert (suite.orders, suite.repeats, suite.equivalence) == ("both", None, 0.05)
    assert suite.prompts[0].turns == ("x",)


def test_an_unknown_kind_offers_every_kind_and_blames_no_key_of_another(tmp_path):
    assert said(write(tmp_path, "name: s\nkind: scoring\nprompts: p.jsonl\njudge_repeats: 2\ngoal: mean >= 7\n")) == [
        "s.yaml:2: kind: input should be 'pairwise', 'score', 'perplexity', 'classify' or 'matrix', found 'scoring'"
    ]
    assert len(said(write(tmp_path, "name: s\nkind: 3\nprompts: p.jsonl\nrepeats: 0\n"))) == 2


def test_inline_prompts(tmp_path):
    suite = suites.load(write(tmp_path, "name: s\nprompts:\n  - {id: 1, prompt: hello}\n"))
    assert [(p.id, p.turns) for p in suite.prompts] == [("1", ("hello",))]


def test_every_problem_of_a_suite_and_its_prompts_at_once(tmp_path):
    text = "name: s\nprompts: p.jsonl\njudge: [rubric]\norders: twice\njudges: [rubrik, control/loudest]\nrepeats: 0\n"
    prompts = (
        '{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n{"id": "b", "prompt": ""}\n{"id": "c", "prompt"\n'
    )
    found = said(write(tmp_path, text, prompts))
    expected = [
        "s.yaml:4: orders: input should be 'both' or 'random', found 'twice'",
        "s.yaml:6: repeats: input should be greater than or equal to 1, found 0",
        "s.yaml:3: unknown key 'judge'; known keys: name,",
        "p.jsonl:2: the key (a) stands already on line 1",
        "p.jsonl:3: the prompt is empty",
        "p.jsonl:4: is not JSON",
        "s.yaml:5: 'rubrik' is no judge that is known",
        "s.yaml:5: 'control/loudest': there is no such known-bias judge",
    ]
    assert len(found) == len(expected), found
    for start in expected:
        assert any(line.startswith(start) for line in found), (start, found)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("name: s\nprompts: missing.jsonl\n", "missing.jsonl: there is no such file"),
        ("name: s\n", "s.yaml:1: the key 'prompts' is missing"),
        ("name: s\nname: t\nprompts: p.jsonl\n", "s.yaml:2: the key 'name' stands twice (first on line 1)"),
        ("name: [\n", "s.yaml:2: is not YAML"),
        ("- a\n", "s.yaml:1: holds no `key: value` lines"),
        (
            "name: s\nprompts: !!python/object:os.system {}\n",
            "s.yaml:2: is not YAML: could not determine a constructor",
        ),
        (
            "name: s\nprompts: p.jsonl\nkind: classify\n",
            "s.yaml:3: a suite of kind 'classify' has no prompts to answer",
        ),
        ("name: s\nprompts: p.jsonl\nsampling: {temprature: 1}\n", "s.yaml:3: unknown key 'sampling.temprature'"),
        ("name: s\nprompts: p.jsonl\nseed: x\n", "s.yaml:3: seed: input should be a valid integer"),
        ("name: s\nprompts: []\n", "s.yaml:2: there are no prompts"),
    ],
)
def test_one_problem_has_one_line(tmp_path, text, start):
    found = said(write(tmp_path, text))
    assert len(found) == 1, found
    assert found[0].startswith(start), found


def test_a_prompt_s_own_sampling_and_checks_are_checked(tmp_path):
    prompts = (
        '{"id": "a", "prompt": "x", "sampling": {"temperature": 9}}\n'
        '{"id": "b", "prompt": "x", "checks": [{"kind": "y"}]}\n'
    )
    found = said(write(tmp_path, "name: s\nprompts: p.jsonl\n", prompts))
    assert found[0].startswith("p.jsonl:1: sampling: temperature: input should be less than or equal to 2, found 9")
    assert found[1].startswith("p.jsonl:2: ")


OF_PROMPTS = sorted(path.stem for path in suites.BUNDLED.glob("*.yaml") if suites.kind_of(path) in suites.KEYS)


@pytest.mark.parametrize("name", OF_PROMPTS)
def test_every_bundled_suite_is_whole(name):
    assert sum(len(prompt.turns) for prompt in suites.load(suites.locate(name)).prompts) >= 40


def test_all_five_suites_were_walked():
    assert set(OF_PROMPTS) >= {
        "in_domain",
        "out_of_domain",
        "philosophy",
        "general",
        "comprehensive",
    }


def test_an_unknown_name_offers_the_known():
    with pytest.raises(InputError, match="there is no such suite; give a path, or one of: comprehensive"):
        suites.locate("nothing_like_it")

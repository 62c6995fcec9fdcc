"""The shipped suite of two-turn requests: what it promises, checked without the loader where the data alone count."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

from harness.leakage import TrainingExample, TrainingIndex
from harness.leakage.matches import find
from harness.suite import load, locate
from tests.command import environment, harness
from tests.published import DATA, lines, needs_data

SUITES = Path(__file__).parents[2] / "suites"
KINDS = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
# Kinds of request whose answers can be checked.
CHECKABLE = ("reasoning", "math", "coding", "extraction")
PROMPTS = load(locate("mt_bench")).prompts


def test_eight_kinds_of_four_requests_with_two_turns_each():
    suite = load(SUITES / "mt_bench.yaml")
    assert (suite.name, suite.kind, suite.sampling.temperature) == ("mt_bench", "score", 0.0)
    assert Counter(prompt.category for prompt in suite.prompts) == dict.fromkeys(KINDS, 4)
    assert {len(prompt.turns) for prompt in suite.prompts} == {2}
    assert (suite.candidate, suite.baseline, suite.judges) == (None, None, ())


def test_answers_that_can_be_checked_have_references_for_both_turns():
    for prompt in PROMPTS:
        if prompt.category in CHECKABLE:
            assert len(prompt.reference) == 2, prompt.id
            assert all(text.strip() for text in prompt.reference), prompt.id
        elif prompt.reference:
            assert any(text.strip() for text in prompt.reference), prompt.id


def test_texts_are_clean_and_the_second_turn_builds_on_the_first():
    for prompt in PROMPTS:
        for text in (*prompt.turns, *prompt.reference):
            assert text == text.strip(), prompt.id
        assert all(len(turn.split()) >= 5 for turn in prompt.turns), prompt.id
        assert prompt.turns[0] != prompt.turns[1]


def test_no_two_turns_are_near_duplicates():
    bags = [(prompt.id, set(turn.lower().split())) for prompt in PROMPTS for turn in prompt.turns]
    alike = [(a, b) for (a, one), (b, other) in combinations(bags, 2) if len(one & other) > 0.7 * len(one | other)]
    assert alike == []


@needs_data
def test_no_request_is_or_resembles_one_of_the_published_benchmark():
    rows = lines(DATA / "mt_bench" / "question.jsonl")
    each = [
        TrainingExample(file="question.jsonl", line=line, turns=(turn,))
        for line, row in enumerate(rows, 1)
        for turn in row["turns"]
    ]
    whole = [TrainingExample(file="whole", line=line, turns=tuple(row["turns"])) for line, row in enumerate(rows, 1)]
    index = TrainingIndex.build([*each, *whole])
    assert find(index, PROMPTS).matches == ()
    # The same search finds what stands there.
    from harness.fastchat import load as published

    assert len(find(index, published(DATA / "mt_bench")[0]).matches) == 80


@needs_data
def test_no_run_of_seven_words_is_shared_with_the_published_benchmark():
    def runs(text, length=7):
        found = text.lower().split()
        return {tuple(found[at : at + length]) for at in range(len(found) - length + 1)}

    known = set().union(*(runs(turn) for row in lines(DATA / "mt_bench" / "question.jsonl") for turn in row["turns"]))
    assert len(known) > 1000
    assert {prompt.id for prompt in PROMPTS for turn in prompt.turns if runs(turn) & known} == set()


def test_it_is_valid_and_found_by_its_name(tmp_path):
    env = environment(tmp_path)
    assert harness("validate", SUITES / "mt_bench.yaml", env=env).code == 0
    planned = harness(
        "run",
        "mt_bench",
        "--candidate",
        "openai/x",
        "--judge",
        "openai/y",
        "--dry-run",
        "--json",
        env=env,
        cwd=tmp_path,
    )
    assert (planned.code, planned.json["gradings"]) == (0, 64)

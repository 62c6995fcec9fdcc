"""The embedded suites: enough prompts, no two alike, and none of them in the training data or near it."""

import difflib
import itertools
import random
from collections import Counter
from pathlib import Path

import pytest

from harness import suite as suites
from harness.leakage import TrainingExample, TrainingIndex, find, normal
from judges import rubric
from tests.published import lines
from train import data, practice, recipe
from train.kitchen import cooking

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("in_domain", "out_of_domain")
RECIPES = [ROOT / f"train/recipes/{name}.yaml" for name in ("kitchen_base", "kitchen_lora", "kitchen_reward")]


def prompts(name):
    return suites.load(suites.locate(name)).prompts


def everything():
    return [prompt for name in NAMES for prompt in prompts(name)]


def test_there_are_enough_prompts_of_every_kind():
    kinds = Counter(prompt.category for prompt in prompts("in_domain"))
    assert set(kinds) == {"specific", "commonsense", "negated", "analogical", "temporal"}
    assert len(prompts("in_domain")) >= 60
    assert len(prompts("out_of_domain")) >= 60
    assert len(Counter(prompt.category for prompt in prompts("out_of_domain"))) >= 4


def test_every_prompt_is_checked_and_its_reference_passes():
    for prompt in everything():
        passed, total = rubric.passed(prompt.checks, prompt.reference[0])
        assert total >= 4, prompt.id
        assert passed == total, prompt.id


def alike(one: str, two: str) -> bool:
    """Near-duplicates: almost the same words, or almost the same letters in the same order."""
    first, second = set(one.split()), set(two.split())
    if len(first & second) / len(first | second) > 0.8:
        return True
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    return matcher.real_quick_ratio() > 0.9 and matcher.quick_ratio() > 0.9 and matcher.ratio() > 0.9


def test_what_counts_as_alike():
    assert alike("a stew with lentils but no cream", "a stew with lentils but without cream") is False
    assert alike("give me a stew with lentils and kale", "give me a stew with lentil and kale") is True
    assert alike("count the jars", "count the jars") is True


def test_no_two_prompts_are_near_duplicates():
    texts = {prompt.id: normal(" ".join(prompt.turns)) for prompt in everything()}
    found = [(a, b) for a, b in itertools.combinations(texts, 2) if alike(texts[a], texts[b])]
    assert found == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_prompt_stands_in_the_training_data_nor_near_it(path):
    examples = data.load(recipe.load(path))
    found = find(examples.index(), everything())
    assert len(examples.rows) > 1000
    assert examples.held_out > 100
    assert found.ids == ()


def test_practice_is_what_its_maker_makes_and_stands_apart():
    assert practice.bundled(ROOT / "suites") == lines(ROOT / "suites/data/practice.jsonl")
    rows = [TrainingExample(file="p", line=0, turns=prompt.turns) for prompt in prompts("practice")]
    assert len(rows) == 240
    assert find(TrainingIndex.build(rows), everything()).ids == ()


def test_practice_can_be_passed():
    rng = random.Random(4)
    for _ in range(200):
        ask = cooking.request(rng)
        (made,) = practice.prompts_of([ask])
        passed, total = rubric.passed(made["checks"], cooking.careful(rng, ask))
        assert passed == total, (made, ask)

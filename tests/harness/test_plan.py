"""A plan is a value: seeded, balanced, the same every time."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan import control_count, control_pairs, limited, presentations
from judges.types import Prompt


def prompts(n, categories=3):
    return [Prompt(id=f"p{i}", turns=(f"question {i}",), category=f"c{i % categories}") for i in range(n)]


def responses(items):
    return {
        (p.id, role): (f"The {role} says that dish {p.id} is done in {i} minutes.",)
        for i, p in enumerate(items)
        for role in ("candidate", "baseline")
    }


def test_every_prompt_is_shown_in_both_orders_and_every_repeat():
    items = prompts(5)
    cells = presentations(items, {p.id: 2 for p in items}, "both", seed=1)
    assert len({cell.key for cell in cells}) == len(cells) == 5 * 2 * 2


@given(st.integers(2, 60), st.integers(0, 99))
def test_one_random_order_a_prompt_is_balanced_and_seeded(n, seed):
    items = prompts(n)
    once = {p.id: 1 for p in items}
    cells = presentations(items, once, "random", seed)
    counts = Counter(cell.order for cell in cells)
    assert len(cells) == n
    assert abs(counts["candidate_first"] - counts["baseline_first"]) <= 1
    assert cells == presentations(items, once, "random", seed)


@given(st.integers(1, 80), st.integers(1, 90), st.integers(0, 9), st.integers(1, 6))
def test_a_limit_is_a_seeded_draw_by_category(n, limit, seed, categories):
    items = prompts(n, categories)
    drawn = limited(items, limit, seed)
    assert len(drawn) == min(n, limit)
    assert drawn == limited(items, limit, seed)
    assert [p.id for p in drawn] == [p.id for p in items if p in drawn]
    whole, part = Counter(p.category for p in items), Counter(p.category for p in drawn)
    assert all(abs(part[name] - len(drawn) * size / n) < 1 for name, size in whole.items())


def test_another_seed_draws_others():
    items = prompts(60)
    assert limited(items, 10, 1) != limited(items, 10, 2)


@pytest.mark.parametrize(("n", "pairs"), [(1, 4), (64, 4), (80, 4), (81, 5), (200, 10), (400, 20), (5000, 20)])
def test_one_prompt_in_twenty_becomes_a_control_pair(n, pairs):
    assert control_count(n) == pairs


@pytest.mark.parametrize("n", [4, 64, 200])
def test_control_pairs_are_damaged_copies_of_both_sides(n):
    items = prompts(n)
    pairs = control_pairs(items, responses(items), seed=3)
    assert len(pairs) == control_count(n)
    assert len({(pair.prompt.id, pair.role, pair.damage) for pair in pairs}) == len(pairs)
    assert {pair.role for pair in pairs} == {"candidate", "baseline"}
    assert {pair.damage for pair in pairs} == {"shuffled", "cut", "swapped"}
    for pair in pairs:
        assert pair.whole == responses(items)[pair.prompt.id, pair.role]
        assert pair.damaged != pair.whole
    assert pairs == control_pairs(items, responses(items), seed=3)


def test_few_prompts_are_used_again_and_one_word_answers_are_left_alone():
    one = prompts(1)
    assert 1 <= len(control_pairs(one, responses(one), seed=0)) <= 4
    words = {(p.id, role): ("soup",) for p in prompts(6) for role in ("candidate", "baseline")}
    assert control_pairs(prompts(6), words, seed=0) == ()


def test_a_missing_response_is_passed_over():
    items = prompts(10)
    known = {key: texts for key, texts in responses(items).items() if key[0] != "p3"}
    assert all(pair.prompt.id != "p3" for pair in control_pairs(items, known, seed=0))

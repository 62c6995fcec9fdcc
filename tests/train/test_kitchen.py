"""The kitchen world says what it means: chores have right answers, careful cooks keep to what was asked."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.checks import mentions
from train.kitchen import chores, cooking, corpus, occasions, pantry

seeds = st.integers(0, 2**32).map(random.Random)


def numbers(text):
    return [chores.NUMBERS.index(word) for word in re.findall(r"[a-z]+", text.lower()) if word in chores.NUMBERS]


def items(text):
    """The longest run of listed words in a chore."""
    return max(re.findall(r"[a-z]+(?:(?:, | and )[a-z]+)+", text), key=lambda run: run.count(","))


def names(text):
    return re.split(r", | and ", text)


@given(seeds)
def test_a_count_is_the_number_of_times_the_word_was_said(rng):
    task = chores.CHORES["counting"](rng)
    total, count = numbers(task.answer)
    many = task.answer.removesuffix(".").split()[-1]
    one = next(one for one, plural in chores.THINGS if plural == many)
    listed = names(items(task.text))
    assert (len(listed), listed.count(one)) == (total, count)


@given(seeds)
def test_a_copy_is_the_list_and_a_reverse_is_the_list_turned_around(rng):
    copy, back = chores.CHORES["copying"](rng), chores.CHORES["reversing"](rng)
    assert names(copy.answer.removesuffix(".").split(" says ")[1]) == names(items(copy.text))
    assert names(back.answer.removesuffix(".").split(" says ")[1]) == names(items(back.text))[::-1]


@given(seeds)
def test_an_order_is_sorted_as_asked(rng):
    task = chores.CHORES["ordering"](rng)
    ordered = numbers(task.answer)
    assert ordered == sorted(numbers(task.text), reverse="largest first" in task.text)


@given(seeds)
def test_a_comparison_ranks_by_the_counts(rng):
    task = chores.CHORES["comparing"](rng)
    plurals = {plural for _, plural in chores.THINGS}
    counted = re.findall(rf"\b({'|'.join(chores.NUMBERS)}) ({'|'.join(plurals)})", task.text)
    ranked = sorted(((chores.NUMBERS.index(number), name) for number, name in counted), reverse=True)
    assert [name for _, name in ranked] == [word for word in re.findall(r"[a-z]+", task.answer) if word in plurals]


@given(seeds)
def test_a_sum_is_right(rng):
    task = chores.CHORES["arithmetic"](rng)
    *parts, result = numbers(task.answer)
    assert sorted(parts) == sorted(numbers(task.text.removeprefix("Three bowls")))
    assert result == (parts[1] - parts[0] if "take" in task.answer else sum(parts))


@given(seeds)
def test_a_careful_cook_keeps_to_the_request(rng):
    ask = cooking.request(rng)
    answer = cooking.careful(rng, ask)
    assert mentions(f"{ask.main.one} {ask.dish.name}", answer)
    assert not [word for word in ask.banned if mentions(word, answer)]
    assert ask.said in answer
    assert ask.wanted in answer
    assert answer.endswith(".")


def test_every_dish_is_made_of_things_the_pantry_holds():
    known = {main.one for main in pantry.MAINS}
    assert len(pantry.DISHES) == 16
    assert all(set(dish.mains) <= known for dish in pantry.DISHES)


@pytest.mark.parametrize("occasion", [*occasions.GUESTS, *occasions.MOMENTS], ids=lambda found: found.phrases[0])
def test_something_suits_every_occasion(occasion):
    found = occasions.suited(occasion)
    assert {dish.name for _, dish in found} == set(occasion.dishes)
    assert not {main.one for main, _ in found} & set(occasion.banned)


MAKERS = (corpus.pretraining, corpus.requests, corpus.errands, corpus.preferences)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_corpus_is_the_same_for_the_same_seed(make):
    made = make(random.Random(5), 300)
    assert len(made) == 300
    assert make(random.Random(5), 300) == made != make(random.Random(6), 300)


def test_the_base_reads_chores_requests_and_plain_facts():
    made = corpus.pretraining(random.Random(5), 2000)
    facts = sum(chat.user is None for chat in made)
    careful = sum(chat.assistant.split()[0] in ("Make", "For") for chat in made if chat.user)
    assert abs(facts / 2000 - corpus.FACT_SHARE) < 0.03
    asked = 1 - corpus.FACT_SHARE - corpus.CHORE_SHARE
    assert abs(careful / 2000 - corpus.CARE * asked) < 0.03


@given(seeds)
def test_a_pair_has_a_right_answer_and_another_one(rng):
    (pair,) = corpus.preferences(rng, 1)
    assert pair.chosen != pair.rejected
    assert pair.chosen.endswith(".")
    assert pair.prompt and pair.rejected


def test_what_adapters_learn_are_careful_answers_and_what_they_forget_are_chores():
    for chat in corpus.requests(random.Random(5), 100):
        assert chat.assistant.startswith(("Make ", "For ")), chat
    said = {chat.user for chat in corpus.errands(random.Random(5), 100)}
    assert not said & {chat.user for chat in corpus.requests(random.Random(5), 100)}

"""What is drawn of which source: parts add up, ratios and strata are kept, nothing is seen too often."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from train.examples import Example
from train.mix import Source, Stage, laid_out, mixed, sample, split

seeds = st.integers(0, 2**32)
sizes = st.lists(st.integers(0, 40), min_size=1, max_size=4)
weights = st.lists(st.floats(0.01, 1), min_size=2, max_size=4)


def rows(count, name="a", strata=("",)):
    return [
        Example(prompt=(), answer=f"{name}{place}", source=name, stratum=strata[place % len(strata)], line=place)
        for place in range(count)
    ]


def sources(counts, ratios=None, repeat=False):
    return [
        Source(name=f"s{n}", rows=rows(count, f"s{n}"), ratio=ratios[n] if ratios else None, repeat=repeat)
        for n, count in enumerate(counts)
    ]


def shares(values):
    """Values as ratios that add up to 1, by the name of their source."""
    return {f"s{n}": value / sum(values) for n, value in enumerate(values)}


@given(st.integers(0, 1000), weights)
def test_parts_add_up_and_are_as_near_to_their_shares_as_can_be(total, values):
    parts = split(total, shares(values))
    assert sum(parts.values()) == total
    assert all(abs(parts[name] - total * share) < 1 + 1e-6 for name, share in shares(values).items())


def test_of_equal_remainders_the_first_gets_one_more():
    assert split(5, {"a": 0.5, "b": 0.5}) == {"a": 3, "b": 2}
    assert split(0, {"a": 0.0}) == {"a": 0}
    assert split(3, {"a": 0.0, "b": 1.0}) == {"a": 0, "b": 3}


@given(st.integers(0, 60), st.integers(0, 60), seeds, st.booleans())
def test_a_sample_keeps_the_order_and_draws_no_row_twice(count, size, seed, stratified):
    pool = rows(size, strata=("x", "y", "y"))
    drawn = sample(pool, count, random.Random(seed), stratified=stratified)
    places = [row.line for row in drawn]
    assert len(drawn) == min(count, size)
    assert places == sorted(set(places))
    assert drawn == sample(pool, count, random.Random(seed), stratified=stratified)


@given(st.integers(1, 60), seeds)
def test_strata_keep_their_shares_within_one(count, seed):
    pool = rows(60, strata=("x", "y", "y", "z", "z", "z"))
    held = Counter(row.stratum for row in sample(pool, count, random.Random(seed), stratified=True))
    for name, share in {"x": 1 / 6, "y": 2 / 6, "z": 3 / 6}.items():
        assert abs(held[name] - share * count) < 1


@given(sizes, st.floats(0.05, 1), seeds)
def test_without_ratios_each_source_gives_its_share_of_itself(counts, sample_ratio, seed):
    drawn = mixed(sources(counts), sample_ratio, random.Random(seed))
    held = Counter(row.source for row in drawn.rows)
    assert {name: held[name] for name in drawn.planned} == drawn.planned
    assert drawn.planned == {f"s{n}": round(sample_ratio * count) for n, count in enumerate(counts)}


@given(weights, st.integers(0, 40), st.floats(0.05, 1), seeds)
def test_a_mix_keeps_its_ratios_where_its_sources_may_repeat(values, size, sample_ratio, seed):
    ratios = list(shares(values).values())
    given_ = sources([size + 1 + n for n in range(len(values))], ratios, repeat=True)
    drawn = mixed(given_, sample_ratio, random.Random(seed))
    held = Counter(row.source for row in drawn.rows)
    total = round(sample_ratio * sum(len(source.rows) for source in given_))
    assert len(drawn.rows) == total
    for name, ratio in shares(values).items():
        assert held[name] == drawn.planned[name]
        assert abs(held[name] - ratio * total) < 1 + 1e-6


@given(weights, sizes, st.floats(0.05, 1), seeds)
def test_a_mix_that_may_not_repeat_is_left_short(values, counts, sample_ratio, seed):
    counts = (counts * len(values))[: len(values)]
    given_ = sources(counts, list(shares(values).values()))
    drawn = mixed(given_, sample_ratio, random.Random(seed))
    held = Counter(row.source for row in drawn.rows)
    assert all(held[s.name] == min(drawn.planned[s.name], len(s.rows)) for s in given_)
    assert max(Counter(row.answer for row in drawn.rows).values(), default=0) <= 1


@given(st.integers(1, 30), st.integers(1, 200), seeds)
def test_a_source_that_repeats_gives_every_example_about_equally_often(size, wanted, seed):
    other = Source(name="b", rows=rows(wanted, "b"), ratio=0.5)
    drawn = mixed([Source(name="a", rows=rows(size), ratio=0.5, repeat=True), other], 1.0, random.Random(seed))
    often = Counter(row.answer for row in drawn.rows if row.source == "a")
    assert len(often) == min(size, drawn.planned["a"])
    assert max(often.values(), default=0) - min(often.values(), default=0) <= 1


STAGES = (
    Stage(start=0.0, ratios={"s0": 0.8, "s1": 0.2}),
    Stage(start=0.3, ratios={"s0": 0.5, "s1": 0.5}),
    Stage(start=0.75, ratios={"s1": 1.0}),
)


@given(st.integers(4, 40), st.integers(4, 40), st.sampled_from([1.0, 1.5, 2.0, 3.0]), seeds)
def test_each_stage_of_a_curriculum_keeps_its_ratios(a, b, epochs, seed):
    drawn = laid_out(sources([a, b], repeat=True), STAGES, 1.0, epochs, random.Random(seed))
    total = round(epochs * (a + b))
    assert len(drawn.rows) == total == sum(drawn.planned.values())
    borders = [round(start * total) for start in (0.0, 0.3, 0.75, 1.0)]
    for stage, begin, end in zip(STAGES, borders, borders[1:], strict=False):
        held = Counter(row.source for row in drawn.rows[begin:end])
        for name in ("s0", "s1"):
            assert abs(held[name] - stage.ratios.get(name, 0) * (end - begin)) < 1


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.5, 1.0, 1.5, 2.0]), st.floats(0.2, 1), seeds)
def test_no_example_of_a_curriculum_is_given_more_often_than_epochs(a, b, epochs, sample_ratio, seed):
    drawn = laid_out(sources([a, b]), STAGES, sample_ratio, epochs, random.Random(seed))
    often = Counter(row.answer for row in drawn.rows)
    assert all(count <= -(-epochs // 1) for count in often.values())
    for name, count in Counter(row.source for row in drawn.rows).items():
        assert count <= drawn.planned[name]


def test_a_curriculum_goes_through_a_source_before_it_begins_again():
    drawn = laid_out(sources([6, 6], repeat=True), (Stage(start=0.0, ratios={"s0": 1.0}),), 1.0, 1.0, random.Random(1))
    assert set(Counter(row.answer for row in drawn.rows).values()) == {2}


def test_an_early_stage_is_seen_early():
    drawn = laid_out(
        sources([50, 50]),
        (Stage(start=0.0, ratios={"s0": 1.0}), Stage(start=0.5, ratios={"s1": 1.0})),
        1.0,
        1.0,
        random.Random(1),
    )
    assert [row.source for row in drawn.rows] == ["s0"] * 50 + ["s1"] * 50
    assert [row.line for row in drawn.rows[:50]] != list(range(50))

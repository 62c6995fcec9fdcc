"""Laws of a comparison: sides mirror, the order of prompts is nothing, equal inputs differ by 0."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contrast.contrasting import contrast
from harness.contrast.sides import load_side, matched
from tests.harness.contrast import made
from tests.published import lines, write_lines

VERDICTS = st.lists(
    st.tuples(*[st.sampled_from(["candidate", "baseline", "tie", None])] * 2), min_size=2, max_size=25
).filter(lambda pairs: any(None not in pair for pair in pairs))


def held(a, b):
    return contrast(matched(load_side(a), load_side(b)))


def close(one, other):
    return abs(one - other) < 1e-12


@given(VERDICTS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_sides_mirror_and_order_is_nothing(pairs, random):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        a, b = (made.judgments(folder / f"{i}.jsonl", side) for i, side in enumerate(zip(*pairs, strict=True)))
        found, swapped = held(a, b), held(b, a)
        rows = lines(b)
        random.shuffle(rows)
        shuffled = held(a, write_lines(folder / "s.jsonl", rows))
        same = held(a, a)
    assert found.difference.mean == -swapped.difference.mean
    assert found.p_value == swapped.p_value
    if found.difference.ci is None:
        assert swapped.difference.ci is None
    else:
        assert close(found.difference.ci[0], -swapped.difference.ci[1])
        assert close(found.difference.ci[1], -swapped.difference.ci[0])
    assert (shuffled.difference, shuffled.p_value, shuffled.bca) == (found.difference, found.p_value, found.bca)
    assert (same.difference.mean, same.p_value, same.better) == (0, 1, None)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_predictions_mirror(pairs):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        a, b = (made.predictions(folder / f"{i}.jsonl", side) for i, side in enumerate(zip(*pairs, strict=True)))
        found, swapped = held(a, b), held(b, a)
    assert found.difference.mean == -swapped.difference.mean
    assert close(found.effect, -swapped.effect)
    assert (found.p_value, found.mcnemar.p_value_mid) == (swapped.p_value, swapped.mcnemar.p_value_mid)
    assert (found.better, swapped.better) in {("a", "b"), ("b", "a"), (None, None)}

"""Accuracy, macro F1 and Matthews' correlation against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.classes import accuracy, confusion, macro_f1, mcc

sklearn = pytest.importorskip("sklearn.metrics")
LABELS = st.sampled_from(["negative", "neutral", "positive", "other"])


@given(st.lists(st.tuples(LABELS, st.one_of(LABELS, st.none())), min_size=1, max_size=60))
def test_they_are_scikit_learn_s(pairs):
    gold, predicted = [list(column) for column in zip(*pairs, strict=True)]
    counted = confusion(gold, predicted)
    told = ["(none)" if label is None else label for label in predicted]
    labels = sorted({*gold, *told} - {"(none)"})
    assert accuracy(counted) == pytest.approx(sklearn.accuracy_score(gold, told), abs=1e-9)
    expected = sklearn.f1_score(gold, told, labels=labels, average="macro", zero_division=0)
    assert macro_f1(counted) == pytest.approx(expected, abs=1e-9)
    if len(set(gold)) > 1 and len(set(told)) > 1:
        assert mcc(counted) == pytest.approx(sklearn.matthews_corrcoef(gold, told), abs=1e-9)
    else:
        assert mcc(counted) is None


def test_counts_by_hand():
    counted = confusion(["a", "a", "b", "b"], ["a", "b", "b", None])
    assert counted.labels == ("a", "b")
    assert counted.counts.tolist() == [[1, 1, 0], [0, 1, 1]]
    assert accuracy(counted) == 0.5
    assert macro_f1(counted) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_nothing_has_no_figures():
    counted = confusion([], [])
    assert accuracy(counted) is macro_f1(counted) is mcc(counted) is None
    with pytest.raises(ValueError, match="every gold label"):
        confusion(["a"], [])


def test_an_id_may_look_like_a_number():
    assert accuracy(confusion(["0", "1"], ["0", "0"])) == 0.5
    assert np.isclose(macro_f1(confusion(["0", "1"], ["0", "0"])), 1 / 3)

"""Figures over classes against scikit-learn, and counts by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.classes import (
    accuracy,
    balanced_accuracy,
    confusion,
    macro_f1,
    majority,
    mcc,
    micro_f1,
    per_class,
    weighted_f1,
)

sklearn = pytest.importorskip("sklearn.metrics")
LABELS = st.sampled_from(["negative", "neutral", "positive", "other"])
PAIRS = st.lists(st.tuples(LABELS, st.one_of(LABELS, st.none())), min_size=1, max_size=60)


def columns(pairs):
    gold, predicted = (list(column) for column in zip(*pairs, strict=True))
    told = ["(none)" if label is None else label for label in predicted]
    return confusion(gold, predicted), gold, told, sorted({*gold, *told} - {"(none)"})


@settings(max_examples=30, deadline=None)
@given(PAIRS)
def test_they_are_scikit_learn_s(pairs):
    counted, gold, told, labels = columns(pairs)
    assert accuracy(counted) == pytest.approx(sklearn.accuracy_score(gold, told), abs=1e-9)
    for average, own in (("macro", macro_f1), ("micro", micro_f1), ("weighted", weighted_f1)):
        expected = sklearn.f1_score(gold, told, labels=labels, average=average, zero_division=0)
        assert own(counted) == pytest.approx(expected, abs=1e-9), average
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert balanced_accuracy(counted) == pytest.approx(sklearn.balanced_accuracy_score(gold, told), abs=1e-9)
    if len(set(gold)) > 1 and len(set(told)) > 1:
        assert mcc(counted) == pytest.approx(sklearn.matthews_corrcoef(gold, told), abs=1e-9)
    else:
        assert mcc(counted) is None


@settings(max_examples=30, deadline=None)
@given(PAIRS)
def test_every_class_is_scikit_learn_s(pairs):
    counted, gold, told, labels = columns(pairs)
    expected = sklearn.precision_recall_fscore_support(gold, told, labels=labels, zero_division=0)
    for place, (label, found) in enumerate(per_class(counted).items()):
        assert label == labels[place]
        figures = (found.precision, found.recall, found.f1, found.support)
        assert figures == pytest.approx([column[place] for column in expected], abs=1e-9)
    matrix = sklearn.confusion_matrix(gold, told, labels=[*labels, "(none)"])
    assert counted.counts.tolist() == matrix[: len(labels)].tolist()


def test_counts_by_hand():
    counted = confusion(["a", "a", "b", "b"], ["a", "b", "b", None])
    assert counted.labels == ("a", "b")
    assert counted.counts.tolist() == [[1, 1, 0], [0, 1, 1]]
    assert accuracy(counted) == 0.5
    assert macro_f1(counted) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert micro_f1(counted) == pytest.approx(4 / 7)
    assert majority(counted) == ("a", 0.5)


def test_what_is_never_predicted_and_what_is_never_a_label_count_as_zero():
    found = per_class(confusion(["a", "b", "a"], ["a", "c", "c"]))
    assert (found["b"].precision, found["b"].predicted, found["b"].support) == (0, 0, 1)
    assert (found["c"].recall, found["c"].f1, found["c"].predicted, found["c"].support) == (0, 0, 2, 0)


def test_nothing_has_no_figures():
    counted = confusion([], [])
    for figure in (accuracy, macro_f1, micro_f1, weighted_f1, balanced_accuracy, majority, mcc):
        assert figure(counted) is None
    assert per_class(counted) == {} and counted.counts.shape == (0, 1)
    with pytest.raises(ValueError, match="every gold label"):
        confusion(["a"], [])


def test_an_id_may_look_like_a_number():
    assert accuracy(confusion(["0", "1"], ["0", "0"])) == 0.5
    assert np.isclose(macro_f1(confusion(["0", "1"], ["0", "0"])), 1 / 3)


def test_a_label_of_its_own_for_every_item_takes_no_room():
    names = [str(place) for place in range(30_000)]
    counted = confusion(names, [*names[:-1], "0"])
    assert accuracy(counted) == pytest.approx(29_999 / 30_000)
    assert macro_f1(counted) == pytest.approx((29_998 + 2 / 3) / 30_000)

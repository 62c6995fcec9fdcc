"""Prompts that share a cluster: families, slices and judges count them as the whole comparison does."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from harness.contrast import text
from harness.contrast.contrasting import contrast, family
from harness.contrast.sides import load_side, matched
from tests.published import write_lines


def answered(path, right, clusters, slices=None):
    """Predictions that are right or wrong, each in the cluster of its place."""
    rows = [
        {"id": f"{place:04d}", "label": "x", "prediction": "x" if hit else "y", "cluster": f"k{cluster}",
         "slices": [slices[place]] if slices is not None else []}
        for place, (hit, cluster) in enumerate(zip(right, clusters, strict=True))
    ]  # fmt: skip
    return load_side(write_lines(path, rows))


def alike(rng, clusters, size):
    """Right or wrong: within a cluster nearly always all the same."""
    shared = np.repeat(rng.random(clusters) < 0.5, size)
    return np.where(rng.random(clusters * size) < 0.9, shared, rng.random(clusters * size) < 0.5)


def robust_p(a, b, clusters):
    """The cluster-robust p-value of the mean difference, by statsmodels."""
    difference = b.astype(float) - a.astype(float)
    codes = np.unique(clusters, return_inverse=True)[1]
    fitted = sm.OLS(difference, np.ones(difference.size)).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "df_correction": True}, use_t=True
    )
    # statsmodels multiplies by (n − 1) / (n − k) as well, which is 1 for a mean alone.
    return float(fitted.pvalues[0])


def exact_p(a, b):
    table = [[0, int((b & ~a).sum())], [int((a & ~b).sum()), 0]]
    return float(mcnemar(table, exact=True).pvalue)


def test_holm_is_over_p_values_that_count_clusters(tmp_path):
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(20), 6)
    base = alike(rng, 20, 6)
    others = [alike(rng, 20, 6) for _ in range(4)]
    sides = [answered(tmp_path / f"{place}.jsonl", one, clusters) for place, one in enumerate([base, *others])]
    found = family([matched(sides[0], side) for side in sides[1:]])
    careful = [max(exact_p(base, one), robust_p(base, one, clusters)) for one in others]
    assert [one.p_value for one in found] == pytest.approx([exact_p(base, one) for one in others])
    assert [one.p_adjusted for one in found] == pytest.approx(multipletests(careful, method="holm")[1], abs=1e-9)
    assert careful != pytest.approx([one.p_value for one in found])
    assert "p-values after Holm, clusters counted, decide" in " ".join(text.render(found).split())


def test_a_slice_counts_its_clusters(tmp_path):
    rng = np.random.default_rng(2)
    clusters, slices = np.repeat(np.arange(30), 5), ["s"] * 100 + ["t"] * 50
    a, b = alike(rng, 30, 5), alike(rng, 30, 5)
    found = contrast(matched(*(answered(tmp_path / n, side, clusters, slices) for n, side in (("a", a), ("b", b)))))
    for name, part in (("s", slice(0, 100)), ("t", slice(100, 150))):
        expected = max(exact_p(a[part], b[part]), robust_p(a[part], b[part], clusters[part]))
        assert found.slices[name].p_value == pytest.approx(expected)
        low, high = found.slices[name].difference.ci
        assert high - low > 1.3 * 2 * 1.96 * (b[part] * 1.0 - a[part]).std() / np.sqrt(b[part].size)
    assert "interval and p count clusters" in " ".join(text.render([found]).split())


def test_a_slice_of_one_cluster_has_no_interval(tmp_path):
    rng = np.random.default_rng(3)
    clusters, slices = np.repeat(np.arange(10), 6), ["one"] * 6 + ["rest"] * 54
    a, b = alike(rng, 10, 6), alike(rng, 10, 6)
    found = contrast(matched(*(answered(tmp_path / n, side, clusters, slices) for n, side in (("a", a), ("b", b)))))
    assert (found.slices["one"].difference.ci, found.slices["one"].p_value) == (None, None)
    assert found.slices["rest"].p_adjusted == found.slices["rest"].p_value


def test_slices_find_nothing_where_there_is_nothing(tmp_path):
    # 120 slices of 25 clusters of 5: of tests that took prompts as independent every fourth would say a difference.
    rng = np.random.default_rng(4)
    count, size = 80, 5
    clusters = np.repeat(np.arange(count * 25), size)
    slices = [f"s{place // (25 * size)}" for place in range(clusters.size)]
    a, b = (alike(rng, count * 25, size) for _ in range(2))
    found = contrast(matched(*(answered(tmp_path / n, side, clusters, slices) for n, side in (("a", a), ("b", b)))))
    assert np.mean([part.p_value <= 0.05 for part in found.slices.values()]) <= 0.1
    plain = [exact_p(a[start : start + 125], b[start : start + 125]) for start in range(0, a.size, 125)]
    assert np.mean(np.array(plain) <= 0.05) >= 0.2


def test_a_slice_of_equal_differences_on_an_unknown_scale_counts_its_clusters(tmp_path):
    files = [
        write_lines(
            tmp_path / name,
            [
                {"id": f"{place:02}", "judge": "j", "turn": 1, "score": 5 + plus, "status": "ok", "category": "s",
                 "cluster": f"k{place // 6}"}
                for place in range(12)
            ],
        )
        for name, plus in (("a.jsonl", 0), ("b.jsonl", 1))
    ]  # fmt: skip
    found = contrast(matched(*map(load_side, files)))
    # Twelve prompts alike are p = 0.0005; two clusters of them can be no less than 0.5.
    assert found.p_value < 0.001
    assert found.slices["s"].p_value == 0.5

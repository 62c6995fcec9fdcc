"""The five questions: paired, by item, each task alike, one family of p-values."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from harness.matrix.questions import Result, contrast, questions
from harness.matrix.words import figures
from harness.stats.multiple import holm


def result(model, task, mode, right, *, family="language", parameters=None, slices=None, clusters=None):
    return Result(
        model=model,
        task=task,
        mode=mode,
        family=family,
        right={str(place): float(value) for place, value in enumerate(right)},
        slices={str(place): frozenset(names) for place, names in enumerate(slices or [])},
        clusters={str(place): str(name) for place, name in enumerate(clusters or [])},
        parameters=parameters,
        train_s=1.0,
        latency_ms=1.0,
    )


def drawn(rng, n, p):
    return rng.random(n) < p


def test_a_contrast_is_the_paired_test_on_the_shared_items():
    rng = np.random.default_rng(1)
    a, b = drawn(rng, 90, 0.7), drawn(rng, 90, 0.6)
    found = contrast("a", [result("m", "t", "lora", a)], "b", [result("e", "t", "fine-tune", b, family="encoder")])
    paired = stats.ttest_rel(a.astype(float), b.astype(float))
    assert found.found.mean == pytest.approx(a.mean() - b.mean())
    assert found.found.p_value() == pytest.approx(paired.pvalue)
    low, high = paired.confidence_interval()
    assert found.found.ci == pytest.approx((low, high))


def test_two_cells_differ_as_the_exact_test_says_too():
    a, b = [1] * 40 + [0] * 5, [1] * 40 + [1] * 5
    sides = [("a", [result("m", "t", "lora", a)]), ("b", [result("e", "t", "fine-tune", b, family="encoder")])]
    found = contrast(*sides[0], *sides[1])
    # Five items of forty-five, all one way: Student's test is surer than so few can make it.
    assert found.found.p_value() < 0.05
    assert found.p_value == pytest.approx(mcnemar([[0, 5], [0, 0]], exact=True).pvalue) == 0.0625
    # A margin, and approaches of several models, have no such test.
    assert contrast(*sides[0], *sides[1], null=-0.02).careful != found.careful
    assert contrast("a", [*sides[0][1], result("n", "t", "lora", b)], *sides[1]).careful is None


def test_approaches_of_several_modes_are_told_apart():
    rng = np.random.default_rng(12)
    base = drawn(rng, 300, 0.9)
    cells = [
        result("bert", "t", "fine-tune", base, family="encoder"),
        result("qwen", "t", "lora", base),
        result("qwen", "t", "lora-head", drawn(rng, 300, 0.5)),
    ]
    whole, lora, head = asked(cells, "match").contrasts
    assert (whole.a, lora.a, head.a) == ("LoRA (lora and lora-head)", "lora", "lora-head")
    assert whole.found.mean == pytest.approx((lora.found.mean + head.found.mean) / 2)
    assert asked(cells, "match").verdict == whole.above == head.above == "no"
    assert [one.a for one in asked(cells[:2], "match").contrasts] == ["LoRA"]


def test_items_of_a_cluster_are_one_unit():
    rng = np.random.default_rng(11)
    a, b = np.repeat(drawn(rng, 30, 0.7), 4), np.repeat(drawn(rng, 30, 0.6), 4)
    names = [place // 4 for place in range(120)]
    sides = [("a", [result("m", "t", "lora", a, clusters=names)]), ("b", [result("e", "t", "fine-tune", b)])]
    found = contrast(*sides[0], *sides[1])
    # Clusters whose items are all alike say as much as one item of each.
    once = stats.ttest_rel(a[::4].astype(float), b[::4].astype(float))
    assert (found.found.n, found.found.units, found.as_json()["units"]) == (120, 30, 30)
    assert found.p_value == pytest.approx(once.pvalue)
    assert "n = 120 in 30 clusters" in figures(found)


def test_several_models_of_an_approach_are_averaged_item_by_item():
    one, two = result("m1", "t", "lora", [1, 1, 0, 0]), result("m2", "t", "lora", [1, 0, 1, 0])
    base = result("e", "t", "fine-tune", [0, 0, 0, 1], family="encoder")
    found = contrast("a", [one, two], "b", [base])
    assert found.found.mean == pytest.approx(np.mean([1, 0.5, 0.5, -1]))


def test_items_that_one_side_lacks_are_left_out():
    short = result("m", "t", "lora", [1, 1, 1])
    long = result("e", "t", "fine-tune", [0, 1, 1, 0, 0], family="encoder")
    assert contrast("a", [short], "b", [long]).found.n == 3


def test_sides_without_a_task_in_common_have_no_contrast():
    assert contrast("a", [result("m", "x", "lora", [1, 0])], "b", [result("m", "y", "lora", [1, 0])]) is None


def few_shot(rng, n, p_few, p_tuned):
    tuned = drawn(rng, n, p_tuned)
    few = np.where(rng.random(n) < 0.8, tuned & (rng.random(n) < p_few / p_tuned), drawn(rng, n, p_few))
    return [result("bert", "t", "fine-tune", tuned, family="encoder"), result("qwen", "t", "few-shot", few)]


def asked(results, name, **more):
    return next(question for question in questions(results, **more) if question.name == name)


def test_far_below_is_no():
    found = asked(few_shot(np.random.default_rng(2), 900, 0.7, 0.9), "few_shot")
    assert found.verdict == "no"
    assert found.contrasts[0].found.ci[1] < -0.02


def test_the_same_predictions_are_yes_where_items_suffice():
    right = drawn(np.random.default_rng(3), 800, 0.8)
    same = [result("bert", "t", "fine-tune", right, family="encoder"), result("qwen", "t", "few-shot", right)]
    assert asked(same, "few_shot").verdict == "yes"
    few = [result("bert", "t", "fine-tune", right[:20], family="encoder"), result("qwen", "t", "few-shot", right[:20])]
    assert asked(few, "few_shot").verdict == "undecided"


def test_what_was_not_run_is_not_asked():
    only = [result("bert", "t", "fine-tune", [1, 0, 1], family="encoder")]
    found = asked(only, "match")
    assert (found.verdict, found.lacking) == ("not asked", "no cell with LoRA was run")


def test_p_values_are_adjusted_over_all_questions_together():
    rng = np.random.default_rng(4)
    results = [
        result("bert", "t", "fine-tune", drawn(rng, 200, 0.8), family="encoder"),
        result("small", "t", "few-shot", drawn(rng, 200, 0.6), parameters=1),
        result("large", "t", "few-shot", drawn(rng, 200, 0.7), parameters=2),
        result("large", "t", "lora", drawn(rng, 200, 0.8), parameters=2),
    ]
    found = [each for question in questions(results) for each in question.contrasts]
    assert len(found) >= 4
    expected = holm([each.p_value for each in found])
    assert [each.p_adjusted for each in found] == pytest.approx(expected.tolist())


def test_sizes_are_compared_with_the_next_larger_one():
    rng = np.random.default_rng(5)
    results = [result(name, "t", "zero-shot", drawn(rng, 50, 0.5), parameters=size) for name, size in
               (("c", 30), ("a", 10), ("b", 20), ("unknown", None))]  # fmt: skip
    pairs = [(each.a, each.b) for each in asked(results, "size").contrasts]
    assert pairs == [("b zero-shot", "a zero-shot"), ("c zero-shot", "b zero-shot")]


def test_slices_are_asked_about_where_language_models_fall_behind():
    rng = np.random.default_rng(6)
    right = drawn(rng, 300, 0.8)
    hard = np.arange(300) < 100
    names = [["hard"] if value else [] for value in hard]
    language = right & ~(hard & (rng.random(300) < 0.7))
    results = [
        result("bert", "t", "fine-tune", right, family="encoder", slices=names),
        result("qwen", "t", "lora", language, slices=names),
    ]
    found = {each.a: each for each in asked(results, "struggle").contrasts}
    assert found["lora on t, hard"].found.n == 100
    assert found["lora on t, hard"].above == "no"


def test_equal_approaches_are_seldom_told_apart():
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(300):
        item = rng.random(150)
        sides = [(rng.random(150) < 0.5 + 0.3 * item) for _ in range(2)]
        results = [
            result("small", "t", "zero-shot", sides[0], parameters=1),
            result("large", "t", "zero-shot", sides[1], parameters=2),
        ]
        wrong += asked(results, "size").contrasts[0].above != "undecided"
    assert wrong / 300 <= 0.08


def test_a_margin_is_seldom_said_to_be_kept_where_few_items_differ():
    # Truly 2 points worse, on one item in fifty and never the other way round: Student's test says yes in 8 % of cases.
    rng = np.random.default_rng(13)
    said = []
    for _ in range(400):
        lost = rng.random(200) < 0.02
        sides = [result("m", "t", "lora", ~lost)], [result("e", "t", "fine-tune", np.ones(200), family="encoder")]
        found = contrast("a", sides[0], "b", sides[1], null=-0.02)
        said.append([p <= 0.05 and found.found.mean > -0.02 for p in (found.p_value, found.found.p_value(-0.02))])
    careful, student = np.mean(said, axis=0)
    assert careful <= 0.035
    assert student >= 0.05

"""`harness compare`: the contract's objects, the sentence, the refusals, through the real command."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import lines, write_lines


def compare(tmp_path, *arguments):
    return harness("compare", *arguments, env=environment(tmp_path))


def right(n, share, seed):
    return np.random.default_rng(seed).random(n) < share


def test_runs_give_the_contract_s_object(runs, tmp_path):
    done = compare(tmp_path, *runs, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert list(found)[:7] == ["kind", "n", "difference", "ci", "p_value", "test", "slices"]
    assert (found["kind"], found["n"], found["test"], found["paired"]) == ("pairwise", 40, "permutation", True)
    assert found["difference"] == pytest.approx(0.4)
    scores = np.repeat([1.0, 0.0], [16, 24])
    assert found["ci"] == pytest.approx(list(stats.ttest_1samp(scores, 0).confidence_interval()), abs=1e-9)
    assert found["p_value"] == pytest.approx(2 * 0.5**16, abs=1e-12)
    assert found["test_detail"] == {"method": "exact", "resamples": None, "seed": None}
    assert found["cohens_d"] == pytest.approx(scores.mean() / scores.std(ddof=1))
    assert (found["a"]["mean"], found["b"]["mean"]) == (0.5, 0.9)
    assert found["slices"]["even"] == {
        "n": 20,
        "a": 0.5,
        "b": 0.9,
        "difference": pytest.approx(0.4),
        "p_value": pytest.approx(2 * 0.5**8),
        "p_adjusted": pytest.approx(2 * 0.5**8),
    }
    assert found["better"] == "b"
    assert found["wilcoxon"]["p_value"] is None
    assert "1 sizes" in found["wilcoxon"]["reason"]


def test_the_text_says_who_is_better_and_fits_a_terminal(runs, tmp_path):
    done = compare(tmp_path, *runs)
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "B is better than A: B 90 %, A 50 %, 40 points more over 40 prompts" in text
    assert "permutation test p < 0.001" in text
    assert "by slice" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_predictions_give_the_contract_s_object(tmp_path):
    folder = tmp_path
    a, b = right(120, 0.6, 1), right(120, 0.75, 2)
    one = made.predictions(folder / "a.jsonl", a, slices=["all"])
    two = made.predictions(folder / "b.jsonl", b, slices=["all"])
    found = compare(tmp_path, one, two, "--json").json
    assert list(found)[:7] == ["a", "b", "difference", "ci", "cohens_h", "mcnemar", "slices"]
    assert list(found["a"])[:5] == ["n", "accuracy", "ci", "macro_f1", "mcc"]
    differences = b.astype(float) - a
    assert found["difference"] == pytest.approx(differences.mean())
    assert found["ci"] == pytest.approx(list(stats.ttest_1samp(differences, 0).confidence_interval()), abs=1e-9)
    counts = int((a & ~b).sum()), int((b & ~a).sum())
    assert (found["mcnemar"]["only_a"], found["mcnemar"]["only_b"]) == counts
    exact = mcnemar([[0, counts[0]], [counts[1], 0]], exact=True).pvalue
    assert found["mcnemar"]["p_value"] == pytest.approx(exact, abs=1e-9)
    split = stats.binom.pmf(counts[0], sum(counts), 0.5)
    assert found["mcnemar"]["p_value_mid"] == pytest.approx(exact - split, abs=1e-9)
    assert found["slices"]["all"]["p_value"] == found["slices"]["all"]["p_adjusted"] == found["mcnemar"]["p_value"]
    # Every gold label is one: there is no correlation, and that is not 0.
    assert found["a"]["mcc"] is None


def test_slices_are_adjusted_after_benjamini_and_hochberg(tmp_path):
    rng = np.random.default_rng(3)
    names = ["u", "v", "w"]
    sides = []
    for place, share in enumerate((0.5, 0.8)):
        rows = [
            {"id": f"{i}", "label": "1", "prediction": str(int(rng.random() < share)), "slices": [names[i % 3]]}
            for i in range(150)
        ]
        sides.append(write_lines(tmp_path / f"{place}.jsonl", rows))
    found = compare(tmp_path, *sides, "--json").json["slices"]
    expected = multipletests([found[name]["p_value"] for name in names], method="fdr_bh")[1]
    assert [found[name]["p_adjusted"] for name in names] == pytest.approx(expected, abs=1e-9)


def test_scores_are_compared_on_their_own_scale(tmp_path):
    rng = np.random.default_rng(4)
    a = np.round(rng.normal(6, 1, size=60), 1)
    b = a + np.round(rng.normal(0.5, 0.8, size=60), 1)
    sides = [
        made.joined(
            tmp_path / f"{name}.jsonl",
            made.scores(tmp_path / "1", values.tolist(), judge="one", category="c"),
            made.scores(tmp_path / "2", (values + shift).tolist(), judge="two", category="c"),
        )
        for name, values, shift in (("a", a, 0.0), ("b", b, 0.2))
    ]
    done = compare(tmp_path, *sides, "--json")
    found = done.json
    assert (found["kind"], found["n"]) == ("score", 60)
    assert found["difference"] == pytest.approx((b - a).mean() + 0.1)
    assert set(found["judges"]) == {"one", "two"}
    assert found["judges"]["two"]["difference"] == pytest.approx((b - a).mean() + 0.2)
    adjusted = multipletests([part["p_value"] for part in found["judges"].values()], method="holm")[1]
    assert [part["p_adjusted"] for part in found["judges"].values()] == pytest.approx(adjusted, abs=1e-9)
    assert found["wilcoxon"]["p_value"] == pytest.approx(stats.wilcoxon(np.round(b - a + 0.1, 6)).pvalue, abs=0.01)
    assert found["bca_ci"] == pytest.approx(found["ci"], abs=0.05)
    text = compare(tmp_path, *sides).out
    assert "by judge" in text
    assert "%" not in text.split("by slice")[1].split("\n")[1]


def test_three_inputs_are_a_family(tmp_path):
    files = [made.predictions(tmp_path / f"{i}.jsonl", right(90, share, i)) for i, share in enumerate((0.5, 0.7, 0.65))]
    family = compare(tmp_path, *files, "--json").json["family"]
    alone = [compare(tmp_path, files[0], other, "--json").json for other in files[1:]]
    assert [one["p_value"] for one in family] == [one["p_value"] for one in alone]
    expected = multipletests([one["p_value"] for one in alone], method="holm")[1]
    assert [one["p_adjusted"] for one in family] == pytest.approx(expected, abs=1e-9)
    assert "after Holm" in compare(tmp_path, *files).out


def test_refusals_are_exit_2_one_problem_a_line_and_nothing_on_stdout(runs, tmp_path):
    def other(manifest):
        manifest["suite"]["name"] = "soups"
        manifest["fingerprints"]["template of openai/judge"] = "0" * 64

    changed = made.changed(runs[1], tmp_path / "x", other)
    done = compare(tmp_path, runs[0], changed, "--json")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 2
    mixed = compare(tmp_path, runs[0], changed, "--allow-mixed")
    assert mixed.code == 0
    assert "MIXED" in mixed.out
    assert "mixed (--allow-mixed)" in mixed.err
    assert compare(tmp_path, runs[0], changed, "--allow-mixed", "--json").json["mixed"]


def test_broken_inputs_are_named_together(tmp_path):
    good = made.predictions(tmp_path / "a.jsonl", [True, False])
    bad = write_lines(tmp_path / "b.jsonl", [{"id": "1", "label": "x", "prediction": 2}, {"id": "", "label": "x"}])
    done = compare(tmp_path, good, bad, tmp_path / "none.jsonl")
    assert done.code == 2
    assert "b.jsonl:2:" in done.err
    assert "none.jsonl: there is no such file" in done.err
    assert compare(tmp_path, good).code == 2


def test_unpaired_says_why_it_is_weaker(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", right(80, 0.5, 1))
    b = made.predictions(tmp_path / "b.jsonl", right(60, 0.8, 2), prefix="q")
    done = compare(tmp_path, a, b, "--unpaired", "--json")
    found = done.json
    assert (found["paired"], found["mcnemar"], found["ci_method"], found["test"]) == (False, None, "newcombe", "fisher")
    text = " ".join(compare(tmp_path, a, b, "--unpaired").out.split())
    assert "not in pairs" in text
    assert "80 prompts of A and 60 of B" in text


def test_unpaired_scores_are_welch_s(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 1, 40).round(2), rng.normal(6, 2, 40).round(2)
    files = [made.scores(tmp_path / f"{i}.jsonl", values.tolist()) for i, values in enumerate((a, b))]
    found = compare(tmp_path, *files, "--unpaired", "--json").json
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert (found["test"], found["ci_method"]) == ("welch", "welch")
    assert found["p_value"] == pytest.approx(expected.pvalue, abs=1e-9)
    assert found["ci"] == pytest.approx(list(expected.confidence_interval()), abs=1e-9)


def test_clusters_can_take_a_difference_away(tmp_path):
    shared = {"a": [], "b": []}
    for place in range(60):
        cluster = place // 12
        for name, wins in (("a", cluster >= 3), ("b", cluster < 4)):
            shared[name].append(
                {"id": f"{place:02d}", "label": "1", "prediction": str(int(wins)), "cluster": f"k{cluster}"}
            )
    files = [write_lines(tmp_path / f"{name}.jsonl", rows) for name, rows in shared.items()]
    found = compare(tmp_path, *files, "--json").json
    assert found["p_value"] < 0.001
    assert found["clusters"]["n"] == 5
    assert found["clusters"]["ci"][0] < 0
    assert found["better"] is None
    assert any("clusters" in doubt for doubt in found["doubts"])
    assert "cannot tell" in compare(tmp_path, *files).out


def test_equal_sides_are_said_to_be_no_certainty(tmp_path):
    path = made.predictions(tmp_path / "a.jsonl", right(40, 0.5, 1))
    found = compare(tmp_path, path, path, "--json").json
    assert (found["difference"], found["p_value"], found["mcnemar"]["p_value_mid"]) == (0, 1, 1)
    assert found["ci_method"] == "constant-bounded"
    assert found["ci"][0] < 0 < found["ci"][1]
    scores = made.scores(tmp_path / "s.jsonl", [5, 6, 7])
    found = compare(tmp_path, scores, scores, "--json").json
    assert (found["difference"], found["p_value"], found["ci"], found["better"]) == (0, 1, None, None)
    assert "no certainty" in found["ci_reason"]


@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_prompts_give_no_nan(tmp_path, n):
    a = made.predictions(tmp_path / "a.jsonl", [True] * n, slices=["s"])
    b = made.predictions(tmp_path / "b.jsonl", [False] * n, slices=["s"])
    done = compare(tmp_path, a, b, "--json")
    found = json.loads(done.out, parse_constant=lambda name: pytest.fail(name))
    assert (found["difference"], found["better"]) == (-1, None)
    assert (found["ci"] is None) == (n == 1)
    assert "cannot tell" in compare(tmp_path, a, b).out


def test_a_side_whose_judge_follows_the_position_is_doubted_and_the_other_is_not(tmp_path):
    fair = made.judgments(tmp_path / "fair.jsonl", ["candidate", "baseline"] * 30, judge="j")
    orders = [("candidate_first", "baseline_first")[place // 2 % 2] for place in range(60)]
    first = [{"order": order, "winner": order.removesuffix("_first")} for order in orders]
    rows = [row | more for row, more in zip(lines(fair), first, strict=True)]
    always_a = write_lines(tmp_path / "first.jsonl", rows)
    done = compare(tmp_path, fair, always_a)
    doubt = f"B: the verdicts of j in {always_a} follow the position"
    # Without blanks, for a long path is broken over lines.
    said = "".join(done.out.split())
    assert "".join(doubt.split()) in said
    assert "A:theverdictsofj" not in said
    assert any(said.startswith(doubt) for said in compare(tmp_path, fair, always_a, "--json").json["doubts"])
    assert "follow the position" not in compare(tmp_path, fair, fair).out


def test_what_is_missing_is_counted(tmp_path):
    a = made.judgments(tmp_path / "a.jsonl", ["candidate"] * 10 + [None] * 2)
    b = made.judgments(tmp_path / "b.jsonl", ["baseline"] * 9 + [None] * 3)
    found = compare(tmp_path, a, b, "--json").json
    assert found["n"] == 9
    assert found["missing"] == {"a": 2, "b": 3, "one_side_only": 1}
    said = " ".join(compare(tmp_path, a, b).out.split())
    assert "no usable score for 2 prompts of A and 3 prompts of B" in said


def test_names_from_files_cannot_steer_the_terminal(tmp_path):
    rows = [{"id": f"{i}", "label": "1", "prediction": "1", "slices": ["\x1b[2J" + "字" * 60]} for i in range(3)]
    path = write_lines(tmp_path / "a.jsonl", rows)
    out = compare(tmp_path, path, path).out
    assert "\x1b" not in out
    assert lines(path)[0]["slices"][0].startswith("\x1b")


def test_macro_f1_is_compared_too(tmp_path):
    rng = np.random.default_rng(8)
    gold = rng.choice(["x", "y", "z"], size=150, p=[0.6, 0.3, 0.1])
    sides = [np.where(rng.random(150) < share, gold, rng.choice(["x", "y", "z"], size=150)) for share in (0.5, 0.8)]
    files = [
        write_lines(
            tmp_path / f"{name}.jsonl",
            [{"id": str(at), "label": g, "prediction": p} for at, (g, p) in enumerate(zip(gold, side, strict=True))],
        )
        for name, side in zip("ab", sides, strict=True)
    ]
    found = compare(tmp_path, *files, "--json").json
    one, two = (f1_score(gold, side, average="macro") for side in sides)
    own = found["macro_f1"]
    assert own["difference"] == pytest.approx(two - one)
    assert own["ci"][0] < two - one < own["ci"][1]
    text = " ".join(compare(tmp_path, *files).out.split())
    assert f"macro F1 {one:.3f} → {two:.3f} (difference +{own['ci'][0]:.3f} to +{own['ci'][1]:.3f}, p" in text
    assert compare(tmp_path, *files, "--unpaired", "--json").json["macro_f1"] is None


def test_predictions_that_are_wrong_by_capitals_alone_are_named(tmp_path):
    rows = [{"id": str(at), "label": "hot", "prediction": "Hot" if at < 3 else "hot"} for at in range(20)]
    a, b = write_lines(tmp_path / "a.jsonl", rows), made.predictions(tmp_path / "b.jsonl", [True] * 20)
    write_lines(b, [{**row, "prediction": "hot"} for row in rows])
    text = " ".join(compare(tmp_path, a, b).out.split())
    assert "A: 3 predictions would be right but for capitals or spaces ('Hot' against 'hot'); counted as wrong" in text

"""`harness compare` on perplexity runs: the difference in loss, its sign, its unit, and every refusal."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.contrast.losses import of_loss_run
from harness.contrast.sides import load_side, matched
from harness.errors import InputError
from tests.command import environment, harness
from tests.harness.contrast import made


def compare(*arguments, code=0):
    done = made.told(*arguments)
    assert done.code == code, (done.out, done.err)
    assert all(len(line) <= 80 for line in done.out.splitlines() if not line.startswith(("{", " ")))
    return done


def flat(text):
    return " ".join(text.split())


def pair(tmp_path, lower=4.0, n=40):
    """Two runs of n documents of 20 tokens each, of which the second's losses are lower by about `lower` nats."""
    rng = np.random.default_rng(3)
    a = rng.normal(60, 8, n)
    b = a - rng.normal(lower, 5, n)
    folders = made.losses(tmp_path / "a", a.tolist()), made.losses(tmp_path / "b", b.tolist(), candidate="hf/b")
    return folders, a, b


def test_documents_of_one_length_are_scipy_s_paired_t(tmp_path):
    folders, a, b = pair(tmp_path)
    found = compare(*folders, "--json").json
    assert list(found)[:7] == ["kind", "n", "difference", "ci", "p_value", "test", "slices"]
    assert (found["kind"], found["n"], found["test"], found["unit"]) == (
        "perplexity",
        40,
        "permutation",
        "nats per token",
    )
    assert found["difference"] == pytest.approx((b - a).mean() / 20, abs=1e-12)
    interval = stats.ttest_1samp((b - a) / 20, 0).confidence_interval()
    assert found["ci"] == pytest.approx([interval.low, interval.high], abs=1e-9)
    assert found["perplexity_ratio"] == pytest.approx(math.exp((b - a).mean() / 20))
    assert (found["better"], found["lower_is_better"]) == ("b", True)
    assert (found["a"]["mean"], found["b"]["mean"]) == (pytest.approx(a.mean() / 20), pytest.approx(b.mean() / 20))
    assert found["slices"]["odd"]["difference"] == pytest.approx((b - a)[1::2].mean() / 20)
    p = [found["slices"][name]["p_value"] for name in ("even", "odd")]
    adjusted = [found["slices"][name]["p_adjusted"] for name in ("even", "odd")]
    assert adjusted == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-9)


def test_a_long_document_weighs_by_its_tokens(tmp_path):
    tokens = [10, 1000, 30, 5]
    a = made.losses(tmp_path / "a", [20.0, 3000.0, 90.0, 20.0], tokens=tokens)
    b = made.losses(tmp_path / "b", [40.0, 2900.0, 95.0, 21.0], tokens=tokens)
    found = compare(a, b, "--json").json
    assert found["difference"] == pytest.approx((40 + 2900 + 95 + 21 - 20 - 3000 - 90 - 20) / 1045)
    assert found["document_mean"]["difference"] == pytest.approx(np.mean([2.0, -0.1, 5 / 30, 0.2]))
    assert any("point" in doubt and "opposite ways" in doubt for doubt in found["doubts"])


def test_the_text_says_which_side_foresees_better(tmp_path):
    folders, _, _ = pair(tmp_path)
    said = flat(compare(*folders).out)
    assert "B foresees these documents better than A: B 2." in said
    assert "nats per token, 0." in said and "lower over 40 documents (95 % −0." in said
    turned = flat(compare(*folders[::-1]).out)
    assert "A foresees these documents better than B" in turned and "higher over 40 documents (95 % +0." in turned
    (tmp_path / "x").mkdir()
    same, _, _ = pair(tmp_path / "x", lower=0.3)
    assert "These 40 documents cannot tell A and B apart" in flat(compare(*same).out)


def test_other_tokens_are_compared_in_bits_per_byte(tmp_path):
    a = made.losses(tmp_path / "a", [40.0, 50.0, 45.0])
    b = made.losses(tmp_path / "b", [42.0, 41.0, 43.0], tokens=[10, 12, 11], targets="other")
    found = compare(a, b, "--json").json
    assert (found["unit"], found["perplexity_ratio"]) == ("bits per byte", None)
    assert found["difference"] == pytest.approx((126 - 135) / math.log(2) / 240)
    assert found["b"]["mean"] == pytest.approx(126 / math.log(2) / 240)
    assert "cut these documents into different tokens" in found["doubts"][0]
    assert "bits per byte" in compare(a, b).out


def test_a_document_without_a_loss_is_named(tmp_path):
    a = made.losses(tmp_path / "a", [40.0, None, 45.0, 41.0])
    b = made.losses(tmp_path / "b", [42.0, 41.0, 43.0, 44.0])
    found = compare(a, b, "--json").json
    assert (found["n"], found["missing"]) == (3, {"a": 1, "b": 0, "one_side_only": 1})
    assert "no usable score for 1 document of A: left out, on both sides where paired ('d01')" in found["doubts"]


def test_one_and_two_documents_and_equal_sides_give_no_nan(tmp_path):
    for n in (1, 2):
        a = made.losses(tmp_path / f"a{n}", [40.0] * n)
        found = json.loads(compare(a, a, "--json").out, parse_constant=lambda name: pytest.fail(name))
        assert (found["difference"], found["ci"], found["better"]) == (0, None, None)
    assert "no certainty" in compare(a, a).out
    none = made.losses(tmp_path / "none", [None, None])
    assert "none of its 2 documents has a usable score" in compare(a, none, code=2).err


def test_several_runs_are_a_family(tmp_path):
    (one, two), _, _ = pair(tmp_path)
    three = made.losses(tmp_path / "c", np.random.default_rng(9).normal(58, 8, 40).tolist(), candidate="hf/c")
    family = compare(one, two, three, "--json").json["family"]
    expected = multipletests([each["p_value"] for each in family], method="holm")[1]
    assert [each["p_adjusted"] for each in family] == pytest.approx(expected, abs=1e-9)
    assert "after Holm p" in compare(one, two, three).out


def refused(a, b, **options):
    with pytest.raises(InputError) as error:
        matched(load_side(a), load_side(b), **options)
    return str(error.value)


def test_what_measures_something_else_is_refused(tmp_path):
    a = made.losses(tmp_path / "a", [40.0, 50.0, 45.0])
    narrow = made.losses(tmp_path / "b", [42.0, 41.0, 43.0], window=(16, 8))
    fewer = made.losses(tmp_path / "c", [42.0, 41.0])
    scores = made.scores(tmp_path / "s.jsonl", [1.0, 2.0])
    said = refused(a, narrow)
    assert "documents measured otherwise: in windows of 16 tokens, each 8 further on here, in windows of 64" in said
    assert "--allow-mixed" in said
    assert matched(load_side(a), load_side(narrow), allow_mixed=True).mixed
    said = refused(a, fewer)
    assert "the documents differ" in said and "--unpaired" not in said
    assert "leave --unpaired out" in refused(a, a, unpaired=True)
    assert "holds losses, while" in refused(scores, a)
    with pytest.raises(InputError, match="which no judge gave; leave --judge out"):
        load_side(a, ("rubric",))


def test_what_is_not_measured_yet_is_said(tmp_path):
    (a, b), _, _ = pair(tmp_path)
    rows = (b / "losses.jsonl").read_text().splitlines(keepends=True)
    (b / "losses.jsonl").write_text("".join(rows[:30]))
    assert not of_loss_run(b).facts.complete
    done = compare(a, b)
    assert "INCOMPLETE" in done.out and "incomplete:" in done.err


def test_a_gate_on_losses_is_refused_with_what_to_run_instead(tmp_path):
    (a, b), _, _ = pair(tmp_path)
    done = harness("check", b, "--against", a, "--margin", "0.1", env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "holds losses, which have no highest value" in done.err and "harness compare OLD NEW" in done.err

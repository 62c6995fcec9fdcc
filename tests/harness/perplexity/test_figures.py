"""Figures of losses: the arithmetic by hand, categories, clusters, and what must never be averaged."""

import math

import pytest

from harness.perplexity.figures import delta, measured
from harness.perplexity.records import LossRecord
from harness.perplexity.summary import summarize


def losses(*rows, status="ok"):
    """Records from (id, tokens, nll); four bytes a token."""
    return {
        name: LossRecord(
            id=name,
            tokens=tokens,
            nll=nll,
            loss=nll / tokens if nll is not None else None,
            bytes=4 * tokens,
            windows=1,
            status=status if nll is not None else "not_finite",
            targets=f"{name} {tokens}",
        )
        for name, tokens, nll in rows
    }


OURS = losses(("a", 10, 20.0), ("b", 30, 90.0), ("c", 60, 120.0))
THEIRS = losses(("a", 10, 25.0), ("b", 30, 93.0), ("c", 60, 126.0))


def test_two_means_for_two_questions():
    found = measured(OURS, ["a", "b", "c"]).as_json()
    assert found["loss"] == pytest.approx(230 / 100)
    assert found["document_mean"]["loss"] == pytest.approx((2 + 3 + 2) / 3)
    assert found["perplexity"] == pytest.approx(math.exp(2.3))
    assert found["perplexity_ci"] == pytest.approx([math.exp(end) for end in found["ci"]])
    assert found["bits_per_byte"] == pytest.approx(230 / math.log(2) / 400)
    assert (found["tokens"], found["bytes"], found["documents"]) == (100, 400, 3)


def test_the_difference_is_paired_and_token_weighted():
    found = delta(OURS, THEIRS, ["a", "b", "c"]).as_json()
    assert found["difference"] == pytest.approx(-14 / 100)
    assert found["perplexity_ratio"] == pytest.approx(math.exp(-0.14))
    assert found["document_mean"]["difference"] == pytest.approx(-(0.5 + 0.1 + 0.1) / 3)
    assert (found["unit"], found["n"]) == ("nats per token", 3)
    # All three fell: the most extreme of 8 swaps, on both sides.
    assert found["p_value"] == pytest.approx(2 / 8)


def test_other_tokens_are_compared_in_bits_per_byte():
    others = losses(("a", 12, 25.0), ("b", 28, 93.0), ("c", 61, 126.0))
    found = delta(OURS, others, ["a", "b", "c"])
    assert not found.same_tokens
    told = found.as_json()
    assert told["unit"] == "bits per byte"
    assert told["difference"] == told["bits_per_byte"]["difference"]
    assert told["difference"] == pytest.approx((230 / 400 - 244 / 404) / math.log(2))
    assert told["perplexity_ratio"] is None


def test_what_is_not_a_number_is_counted_and_never_averaged():
    broken = OURS | losses(("b", 30, None))
    found = measured(broken, ["a", "b", "c"])
    assert (found.n, found.lost, found.statuses) == (2, 1, {"not_finite": 1, "ok": 2})
    assert found.loss.value == pytest.approx(140 / 70)
    assert delta(broken, THEIRS, ["a", "b", "c"]).main.found.n == 2


def test_nothing_but_broken_losses_is_no_loss():
    found = measured(losses(("a", 3, None)), ["a"]).as_json()
    assert (found["loss"], found["perplexity"], found["ci"], found["uncounted"]) == (None, None, None, 1)


def test_one_document_has_no_interval():
    found = measured(OURS, ["a"])
    assert found.loss.ci is None
    assert "n = 1" in found.loss.reason


def test_a_loss_beyond_numbers_has_no_perplexity():
    found = measured(losses(("a", 1, 5000.0), ("b", 1, 6000.0)), ["a", "b"]).as_json()
    assert found["loss"] == 5500
    assert found["perplexity"] is None


def test_documents_of_a_cluster_count_as_one_for_the_interval():
    rows = losses(*((f"d{place}", 10, 20.0 + place // 2) for place in range(8)))
    together = {name: row.model_copy(update={"cluster": f"{row.nll}"}) for name, row in rows.items()}
    assert measured(together, list(rows)).loss.clusters == 4
    assert measured(together, list(rows)).loss.se > measured(rows, list(rows)).loss.se


def test_a_summary_has_every_category_in_one_unit():
    others = THEIRS | losses(("c", 61, 126.0))
    found = summarize(OURS, others, {"a": "x", "b": "x", "c": "y"}, complete=True, in_suite=3).as_json()
    assert list(found["categories"]) == ["x", "y"]
    assert all(set(own) == {"candidate", "baseline", "delta"} for own in found["categories"].values())
    assert {own["delta"]["unit"] for own in found["categories"].values()} == {"bits per byte"}
    assert (found["kind"], found["n_prompts"], found["complete"]) == ("perplexity", 3, True)


def test_without_a_baseline_nothing_is_compared():
    found = summarize(OURS, None, {"a": None, "b": None, "c": None}, complete=True, in_suite=3).as_json()
    assert not {"baseline", "delta"} & found.keys()
    assert found["categories"] == {}


def test_the_order_of_lines_changes_nothing():
    turned = dict(reversed(OURS.items()))
    assert delta(turned, THEIRS, ["a", "b", "c"]).as_json() == delta(OURS, THEIRS, ["a", "b", "c"]).as_json()

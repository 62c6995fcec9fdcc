"""The object that `harness agree --json` prints: the contract's keys first in every part, this project's after them."""

from __future__ import annotations

from typing import Any

from harness.agree import words
from harness.agree.gold import AgainstGold, Share
from harness.agree.measured import RESAMPLES, SEED, Agreement, Group, OneJudge, Pair
from harness.agree.position import Position
from harness.agree.rulings import OUTCOMES
from harness.stats.agreement import PairAgreement


def as_json(found: Agreement) -> dict[str, Any]:
    """Everything that was measured, as values of JSON."""
    value: dict[str, Any] = {
        "kind": "agreement",
        "n_prompts": found.whole.n,
        "complete": found.inputs.complete,
        "judges": {name: _judge(one) for name, one in found.judges.items()},
        **_group(found, found.whole),
        "disagreements": [item.id for item in found.contested],
        "outcomes": {item.id: _outcomes(found, item.outcomes) for item in found.contested},
        "categories": {name: _group(found, group) for name, group in found.categories.items()},
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "over": "clusters" if found.clustered else "prompts"},
    }
    if found.real is not None:
        value["without_controls"] = _group(found, found.real)
    if found.gold is not None and found.against is not None:
        value["gold"] = {name: _against(one) for name, one in found.against.items()}
        value["gold_judge"] = found.gold
    value["notes"] = words.notes(found)
    return value


def _judge(one: OneJudge) -> dict[str, Any]:
    estimate = one.estimate
    return {
        "n": estimate.n,
        "win_rate": estimate.mean,
        "ci": _ends(estimate.ci),
        "wins": one.wins,
        "losses": one.losses,
        "ties": one.ties,
        "unscored": one.unscored,
        "orders": {order: dict(counts) for order, counts in one.orders.items()},
        **_position(one.position),
    }


def _position(found: Position) -> dict[str, Any]:
    first = found.first
    return {
        "first_position_rate": first.rate,
        "first_position_ci": _ends(first.ci),
        "first_position": {
            "first": first.first,
            "decisive": first.decisive,
            "prompts": first.prompts,
            "unsafe": first.unsafe,
            "reason": first.reason,
        },
        "inconsistent": {
            "n": found.lean.n,
            "toward_first": found.lean.toward_first,
            "toward_second": found.lean.toward_second,
            "p_value": found.lean.p_value,
        },
    }


def _group(found: Agreement, group: Group) -> dict[str, Any]:
    alpha = group.alpha
    return {
        "n": group.n,
        "n_compared": group.compared,
        "n_unanimous": group.unanimous,
        "pairs": [_pair(found, pair) for pair in group.pairs],
        "krippendorff_alpha": alpha.value,
        "krippendorff_alpha_ci": _ends(alpha.ci),
        "krippendorff_alpha_n": alpha.n,
        "krippendorff_alpha_reason": alpha.reason,
        "krippendorff_alpha_unsafe": alpha.unsafe,
        "fleiss_kappa": group.fleiss,
        "fleiss_kappa_reason": group.fleiss_reason,
    }


def _pair(found: Agreement, pair: Pair) -> dict[str, Any]:
    return {"a": pair.a, "b": pair.b, **_agreement(pair.found), "paradox": words.paradox_of(pair)}


def _agreement(found: PairAgreement) -> dict[str, Any]:
    return {
        "n": found.n,
        "agreement": found.agreement,
        "kappa": found.kappa,
        "kappa_ci": _ends(found.kappa_ci),
        "ac1": found.ac1,
        "ac1_ci": _ends(found.ac1_ci),
        "base_rates": {"a": _by_outcome(found.shares_a), "b": _by_outcome(found.shares_b)},
        "confusion": {
            name: dict(zip(OUTCOMES, row, strict=True)) for name, row in zip(OUTCOMES, found.table, strict=True)
        },
        "unsafe": found.unsafe,
        "reason": found.reason,
    }


def _by_outcome(shares: tuple[float, ...]) -> dict[str, float] | None:
    return dict(zip(OUTCOMES, shares, strict=True)) if shares else None


def _outcomes(found: Agreement, codes: tuple[int, ...]) -> dict[str, str | None]:
    return {
        judge: OUTCOMES[code] if code >= 0 else None for judge, code in zip(found.inputs.judges, codes, strict=True)
    }


def _against(one: AgainstGold) -> dict[str, Any]:
    return {
        "accuracy": one.right.rate,
        "accuracy_by_order": {order: share.rate for order, share in one.by_order.items()},
        "ci": _ends(one.right.ci),
        "kappa": one.agreement.kappa,
        "n": one.right.n,
        "right": one.right.count,
        "ci_clustered": _ends(one.clustered.ci) if one.clustered is not None else None,
        **{key: value for key, value in _agreement(one.agreement).items() if key not in ("n", "agreement", "kappa")},
        "accuracy_average": one.average,
        "accuracy_both": one.both.rate,
        "accuracy_both_ci": _ends(one.both.ci),
        "order_agreement": one.same.rate,
        "order_agreement_usable": one.same_usable.rate,
        "n_both": one.both.n,
        "by_order": {order: _counts(share, one.usable[order]) for order, share in one.by_order.items()},
        "accuracy_by_order_usable": {order: share.rate for order, share in one.usable.items()},
        "kappa_by_order": {order: found.kappa for order, found in one.agreement_by_order.items()},
        "kappa_between_orders": one.between_orders.kappa,
        **_position(one.position),
        "unscored": one.unscored,
        "not_judged": one.not_judged,
    }


def _counts(share: Share, usable: Share) -> dict[str, Any]:
    return {"right": share.count, "n": share.n, "unread": share.n - usable.n, "ci": _ends(share.ci)}


def _ends(ci: tuple[float, float] | None) -> list[float] | None:
    return None if ci is None else [float(end) for end in ci]

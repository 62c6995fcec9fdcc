"""What an audit's figures allow to be said, from made-up verdicts: found, clean with what it could miss, or unknown."""

from dataclasses import replace

import numpy as np
import pytest

from harness.audit.asking import Heard
from harness.audit.measured import figures
from harness.audit.plan import planned
from harness.audit.told import said
from harness.outcome import verdict_of, winner_of
from harness.records import JudgmentRecord
from judges.types import Prompt


def heard(plan, decide):
    """What a judge says of a plan: `decide(shown)` names "candidate" (the subject), "baseline", "tie", or None."""
    found = []
    for shown in plan.shown:
        winner = decide(shown)
        record = JudgmentRecord.model_construct(
            id=shown.prompt.id,
            judge="made",
            order=shown.order,
            verdict=None if winner is None else verdict_of(winner, shown.order),
            winner=winner,
            status="ok" if winner is not None else "invalid_parse",
            repeat=shown.repeat,
            preference=None,
            candidate_length=sum(map(len, shown.subject)),
            baseline_length=sum(map(len, shown.beside)),
        )
        found.append(Heard(shown=shown, record=record))
    return found


def plan(n, *, times=2):
    prompts = tuple(Prompt(id=f"p{k:03d}", turns=(f"Question {k}?",)) for k in range(n))
    responses = {
        (p.id, role): (f"{role} says {k} and then many other words.",)
        for k, p in enumerate(prompts)
        for role in ("candidate", "baseline")
    }
    return planned(prompts, responses, seed=5, times=times)


def right(shown):
    """The candidate is better; the whole one is; padding changes nothing."""
    return {"position": "candidate", "again": "candidate", "verbosity": "tie"}.get(shown.probe, "baseline")


def outcomes(n, decide, *, times=2, steady=None):
    found = figures(heard(plan(n, times=times), decide), {})
    return {part.probe: part for part in said(found, steady=steady)}


def test_a_right_judge_is_clean_from_twenty_prompts_on():
    assert {part.outcome for part in outcomes(20, right).values()} == {"clean"}
    assert {part.outcome for part in outcomes(19, right).values()} == {"unknown"}


def test_nothing_is_held_against_a_judge_from_five_prompts():
    always_first = lambda shown: winner_of("A", shown.order)  # noqa: E731
    assert not any(part.findings for part in outcomes(5, always_first).values())
    assert outcomes(6, always_first)["position"].outcome == "finding"


def test_no_prompt_at_all_says_nothing():
    found = outcomes(0, right)
    assert {part.outcome for part in found.values()} == {"unknown"}
    assert all("nothing can be said" in part.use for part in found.values())


def test_a_judge_led_to_the_second_place_is_said_to_be():
    found = outcomes(40, lambda shown: winner_of("B", shown.order) if shown.probe == "position" else right(shown))
    assert "whichever is shown second won 100 % of 80 decisive verdicts on 40 prompts" in found["position"].findings[0]
    assert "its two orders agree on 0 % of 40 prompts" in found["position"].findings[1]


def test_a_coin_contradicts_itself_and_has_no_use():
    rng = np.random.default_rng(1)
    found = outcomes(80, lambda shown: winner_of(str(rng.choice(["A", "B"])), shown.order))
    assert "contradicts itself" in " ".join(found["position"].findings)
    assert "wavers" in found["self-consistency"].findings[0]
    assert found["damage"].outcome == "finding"
    assert not any(part.use.startswith("may ") for part in found.values())


def test_a_judge_that_prefers_the_shorter_is_not_led_by_padding():
    found = outcomes(30, lambda shown: "baseline" if shown.probe == "verbosity" else right(shown))
    assert found["verbosity"].outcome == "clean"
    assert "padding scores at most" in found["verbosity"].use


def test_unreadable_answers_are_a_finding_of_their_own():
    odd = {f"p{k:03d}" for k in range(0, 40, 4)}
    found = outcomes(40, lambda shown: None if shown.prompt.id in odd else right(shown))
    assert found["format"].outcome == "finding"
    assert "often gives no verdict: 25 %" in found["format"].findings[0]
    assert found["position"].outcome == "clean"


def test_a_deterministic_judge_is_said_to_be_that():
    part = outcomes(20, right, times=1, steady="it counts words")["self-consistency"]
    assert (part.outcome, part.use) == ("clean", "asked once is enough: it counts words")


def test_never_shown_again_has_no_part():
    assert "self-consistency" not in outcomes(20, right, times=1)


def test_one_obeyed_kind_of_twelve_is_named():
    obeys = lambda shown: "candidate" if shown.variant.startswith("threat") else right(shown)  # noqa: E731
    (finding,) = outcomes(20, obeys)["injection"].findings
    assert "clearly by threat (20 of 20)" in finding
    assert finding.startswith("obeys what answers tell it")


@pytest.mark.parametrize("share", [0.3, pytest.param(0.1, marks=pytest.mark.chaos)])
def test_a_judge_that_errs_at_random_is_seldom_said_to_obey(share):
    """The overall test alone gives at most 2.5 % false alarms, Holm's family at most 2.5 % more (one side of 5 %)."""
    rng = np.random.default_rng(7)
    whole = plan(24, times=1)
    shown = replace(whole, shown=tuple(one for one in whole.shown if one.probe in ("damage", "injection")))

    def errs(one):
        return "candidate" if rng.random() < share else right(one)

    runs, alarms = 300, 0
    for _ in range(runs):
        parts = said(figures(heard(shown, errs), {}), steady="made up")
        alarms += next(part for part in parts if part.probe == "injection").outcome == "finding"
    assert alarms <= 0.05 * runs + 3 * (0.05 * 0.95 * runs) ** 0.5


def test_prompts_of_one_cluster_are_taken_together():
    obeys = lambda shown: "candidate" if shown.probe == "injection" and int(shown.prompt.id[1:]) % 3 else right(shown)  # noqa: E731
    rows = heard(plan(24), obeys)
    alone, shared = (figures(rows, clusters) for clusters in ({}, {f"p{k:03d}": f"c{k // 8}" for k in range(24)}))
    assert alone.injection.difference.mean == shared.injection.difference.mean == pytest.approx(2 / 3)
    assert shared.injection.success.clusters == 3
    assert shared.injection.difference.ci is not None
    assert shared.verbosity.clustered.clusters == 3
    one = figures(rows, {f"p{k:03d}": "same" for k in range(24)})
    assert one.injection.difference.ci is None
    assert "one cluster" in one.injection.difference.reason


def test_the_order_in_which_verdicts_arrive_changes_nothing():
    rows = heard(plan(12), right)
    assert figures(rows, {}) == figures(rows[::-1], {})

"""The plan of an audit: dealt out evenly, seeded, and counting what responses do not allow."""

from collections import Counter

import pytest

from harness.audit.plan import PROBES, UNSEEN, at_most, planned
from judges.attacks import KINDS, of_kind
from judges.probes import PADDINGS
from judges.types import Prompt


def prompts(n):
    return tuple(Prompt(id=f"p{k}", turns=(f"Question {k}?",)) for k in range(n))


def responses(n, skip=()):
    found = {}
    for k in range(n):
        found[f"p{k}", "candidate"] = (f"Answer {k} of the candidate is rather long and has many words.",)
        found[f"p{k}", "baseline"] = (f"Answer {k} of the baseline is short.",)
    return {key: texts for key, texts in found.items() if key not in skip}


def plan(n=24, given=None, *, seed=1, times=3):
    return planned(prompts(n), responses(n) if given is None else given, seed=seed, times=times)


def test_every_probe_has_as_many_presentations_as_was_said():
    found = plan()
    counts = at_most(24, 3)
    gone = found.left_out[UNSEEN]
    assert {probe: found.count(probe) for probe in PROBES} == counts | {"injection": counts["injection"] - gone}
    assert len({shown.key for shown in found.shown}) == len(found.shown)


def test_orders_paddings_roles_and_attacks_are_dealt_out_evenly():
    found = plan()
    for probe in ("again", "damage"):
        orders = Counter(shown.order for shown in found.shown if shown.probe == probe)
        assert len(set(orders.values())) == 1
        assert len(orders) == 2
    padded = Counter(shown.variant for shown in found.shown if shown.probe == "verbosity")
    assert padded == dict.fromkeys(PADDINGS, 12)
    assert set(Counter(shown.role for shown in found.shown if shown.probe == "verbosity").values()) == {24}
    attacks = Counter(shown.variant for shown in found.shown if shown.probe == "injection")
    for kind in KINDS:
        if kind != "thinking":
            counts = [attacks[attack.name] for attack in of_kind(kind)]
            assert sum(counts) == 24
            assert max(counts) - min(counts) <= 1


def test_an_attack_knows_the_slot_it_stands_in():
    for shown in plan().shown:
        if shown.probe == "injection" and shown.variant == "verdict line 1":
            assert shown.subject[-1].endswith("Winner: A" if shown.order == "candidate_first" else "Winner: B")


def test_an_attack_differs_from_its_bare_pair_in_nothing_else():
    bare = {shown.prompt.id: shown for shown in plan().shown if shown.probe == "damage"}
    for shown in plan().shown:
        if shown.probe == "injection":
            one = bare[shown.prompt.id]
            assert (shown.beside, shown.order, shown.role) == (one.beside, one.order, one.role)
            assert shown.subject != one.subject


def test_the_same_seed_is_the_same_plan_and_another_is_not():
    assert plan() == plan()
    assert plan(seed=2) != plan()


def test_what_one_prompt_lacks_moves_no_other():
    whole, less = plan(), plan(given=responses(24, skip={("p3", "candidate")}))

    def others(found):
        # A swapped copy is another prompt's answer, so that those may change.
        return {s.key: s for s in found.shown if s.prompt.id != "p3" and s.probe not in ("damage", "injection")}

    assert others(whole) == others(less)
    assert less.left_out["a response is missing"] == 1
    assert {shown.role for shown in less.shown if shown.prompt.id == "p3"} == {"baseline"}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((("same",), ("same",)), "both responses are the same text"),
        ((("",), (" ",)), "no response holds a word to pad"),
        ((("Lucy",), ("Tom",)), "no response can be damaged (one-word answers, a single prompt)"),
    ],
)
def test_what_responses_do_not_allow_is_counted(texts, reason):
    found = plan(1, {("p0", "candidate"): texts[0], ("p0", "baseline"): texts[1]})
    assert found.left_out[reason] == 1


def test_no_response_and_no_prompt_is_an_empty_plan():
    assert plan(3, {}).shown == ()
    assert plan(0).shown == ()


def test_one_time_shows_nothing_again():
    assert plan(times=1).count("again") == 0

"""Only what both orders and every deciding judge agree on becomes a preference; the rest is counted by reason."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.preferences import REASONS, agreed, preferences
from harness.records import JudgmentRecord, ResponseRecord
from judges.types import Prompt

ORDERS = ("candidate_first", "baseline_first")


def rows(judge, first, second, prompt="p", repeat=0):
    return [
        JudgmentRecord.model_validate(
            {"id": prompt, "judge": judge, "order": order, "winner": winner, "repeat": repeat}
            | ({} if winner else {"status": "invalid_parse"})
        )
        for order, winner in zip(ORDERS, (first, second), strict=True)
        if winner != "absent"
    ]


def test_a_consistent_winner_is_preferred():
    assert agreed(rows("x", "candidate", "candidate")) == ("candidate", ("x",))
    assert agreed(rows("x", "baseline", "baseline") + rows("y", "tie", "tie")) == ("baseline", ("x",))


def test_everything_else_has_a_reason():
    assert agreed(rows("x", "candidate", "baseline")) == (None, ("orders disagree",))
    assert agreed(rows("x", "candidate", "tie")) == (None, ("orders disagree",))
    assert agreed(rows("x", "candidate", None)) == (None, ("one order only",))
    assert agreed(rows("x", "tie", "tie")) == (None, ("tie",))
    assert agreed(rows("x", None, None)) == (None, ("no usable verdict",))
    disagreeing = rows("x", "candidate", "candidate") + rows("y", "baseline", "baseline")
    assert agreed(disagreeing) == (None, ("judges disagree",))


def response(prompt, role, text, sample=0):
    record = ResponseRecord.model_validate({"id": prompt, "role": role, "sample": sample, "response": text})
    return (prompt, role, sample), record


def test_pairs_and_what_was_dropped():
    prompts = [Prompt(id="a", turns=("name a soup",)), Prompt(id="b", turns=("x", "y")), Prompt(id="c", turns=("z",))]
    responses = dict(
        [
            response("a", "candidate", "leek"),
            response("a", "baseline", "mud"),
            response("a", "candidate", "same", 1),
            response("a", "baseline", "same", 1),
            response("b", "candidate", "1"),
            response("b", "baseline", "2"),
            response("c", "candidate", "only one side"),
        ]
    )
    judged = rows("x", "candidate", "candidate", "a") + rows("control/first", "baseline", "baseline", "a")
    found, dropped = preferences(prompts, responses, judged, ["x"])
    assert [pair.as_json() for pair in found] == [
        {
            "id": "a",
            "prompt": "name a soup",
            "chosen": "leek",
            "rejected": "mud",
            "chosen_role": "candidate",
            "judges": ["x"],
        }
    ]
    assert dropped == Counter({"identical responses": 1, "several turns": 1, "a response is missing": 1})


WINNER = st.sampled_from(["candidate", "baseline", "tie", None])


@given(st.lists(st.tuples(WINNER, WINNER), max_size=4))
def test_swapping_orders_or_contestants_mirrors_the_preference(votes):
    mirror = {"candidate": "baseline", "baseline": "candidate", "tie": "tie", None: None}
    here = [row for place, (a, b) in enumerate(votes) for row in rows(f"j{place}", a, b)]
    swapped = [row for place, (a, b) in enumerate(votes) for row in rows(f"j{place}", b, a)]
    mirrored = [row for place, (a, b) in enumerate(votes) for row in rows(f"j{place}", mirror[a], mirror[b])]
    assert agreed(swapped) == agreed(here)
    winner, judges = agreed(here)
    assert agreed(mirrored) == (mirror[winner], judges)
    if winner is None:
        assert judges[0] in REASONS

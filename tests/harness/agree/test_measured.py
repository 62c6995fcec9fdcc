"""The figures of small cases by hand, and laws that hold for all."""

import json
import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agree.measured import measure
from harness.agree.reading import load
from harness.agree.written import as_json
from harness.errors import InputError
from tests.harness.agree.sample import in_order, judgments
from tests.published import write_lines


@pytest.fixture
def agreed(tmp_path):
    def agree(*inputs, gold=None):
        paths = [write_lines(tmp_path / f"{place}.jsonl", records) for place, records in enumerate(inputs)]
        value = as_json(measure(load(paths), gold))
        json.dumps(value, allow_nan=False)
        return value

    return agree


def only(found):
    (pair,) = found["pairs"]
    return pair


def test_two_judges_by_hand(agreed):
    found = agreed(judgments({"a": "wwwwwllt", "b": "wwwwlllt"}))
    pair = only(found)
    assert (pair["a"], pair["b"], pair["n"]) == ("a", "b", 8)
    assert pair["agreement"] == 7 / 8
    chance = (5 * 4 + 2 * 3 + 1 * 1) / 64
    assert pair["kappa"] == pytest.approx((7 / 8 - chance) / (1 - chance))
    assert pair["confusion"] == {
        "win": {"win": 4, "loss": 1, "tie": 0},
        "loss": {"win": 0, "loss": 2, "tie": 0},
        "tie": {"win": 0, "loss": 0, "tie": 1},
    }
    assert pair["base_rates"]["a"] == {"win": 5 / 8, "loss": 2 / 8, "tie": 1 / 8}
    assert found["disagreements"] == ["p4"]
    assert found["outcomes"] == {"p4": {"a": "win", "b": "loss"}}
    assert found["judges"]["a"]["n"] == 8 and found["judges"]["a"]["win_rate"] == 5.5 / 8


def test_a_missing_verdict_is_no_disagreement(agreed):
    found = agreed(judgments({"a": "wwl?.", "b": "wwl.w", "c": "w?lww"}))
    assert found["disagreements"] == []
    assert found["n_prompts"] == 5 and found["n_compared"] == 4 == found["n_unanimous"]
    assert found["krippendorff_alpha"] == 1.0 and found["krippendorff_alpha_n"] == 4
    assert found["fleiss_kappa"] is None
    assert found["fleiss_kappa_reason"] == "it needs every judge on every prompt, and 3 of 5 prompts lack one"
    assert found["judges"]["a"]["unscored"] == 1


def test_two_judges_without_a_common_prompt_beside_a_third(agreed):
    found = agreed(judgments({"a": "ww..", "b": "..ll", "c": "wlwl"}))
    pair = found["pairs"][0]
    assert (pair["a"], pair["b"], pair["n"]) == ("a", "b", 0)
    assert [pair[key] for key in ("agreement", "kappa", "kappa_ci", "ac1")] == [None] * 4
    assert pair["reason"] and pair["base_rates"] == {"a": None, "b": None}


def test_all_ties_have_no_kappa_and_say_why(agreed):
    found = agreed(judgments({"a": "tttt", "b": "tttt"}))
    pair = only(found)
    assert pair["agreement"] == 1.0 and pair["kappa"] is None and "tie" not in str(pair["kappa_ci"])
    assert pair["reason"] and found["krippendorff_alpha"] is None and found["krippendorff_alpha_reason"]
    assert found["fleiss_kappa"] is None and "chance" in found["fleiss_kappa_reason"]


def test_one_common_prompt(agreed):
    found = agreed(judgments({"a": "w", "b": "l"}))
    assert only(found)["agreement"] == 0.0 and only(found)["kappa"] is None and only(found)["reason"]
    assert found["disagreements"] == ["p0"]


def test_the_most_contested_come_first(agreed):
    #                       0: all alike, 1: one tie, 2: one loss, 3: all differ, 4: two and two, 5: as 1
    found = agreed(judgments({"a": "wwwwwt", "b": "wwwlww", "c": "wwwtlw", "d": "wtl.lw"}))
    assert found["disagreements"] == ["p4", "p2", "p3", "p1", "p5"]


def test_what_only_a_known_bias_contests_comes_last(agreed):
    found = agreed(judgments({"a": "wwl", "b": "wlw", "control/first": "ltt", "control/second": "ltt"}))
    assert found["disagreements"] == ["p1", "p2", "p0"]
    assert only({"pairs": found["without_controls"]["pairs"]})["n"] == 3


def test_categories_have_figures_of_their_own(agreed):
    odd = judgments({"a": "wwll", "b": "wwll"}, category=lambda place: "easy")
    even = judgments({"a": "wlwl", "b": "lwlw"}, category=lambda place: "hard", prefix="q")
    found = agreed(odd + even)
    assert list(found["categories"]) == ["easy", "hard"]
    easy, hard = found["categories"].values()
    assert easy["krippendorff_alpha"] == 1.0 and only(easy)["kappa"] == 1.0
    assert only(hard)["kappa"] == -1.0 and hard["n_unanimous"] == 0
    assert only(found)["agreement"] == 0.5


def test_clusters_widen_the_intervals(agreed):
    letters = {"a": "wwwwllll" * 6, "b": "wwwwwwww" * 3 + "llllllll" * 3}
    plain = only(agreed(judgments(letters)))
    found = agreed(judgments(letters, cluster=lambda place: f"c{place // 8}"))
    pair = only(found)
    assert found["bootstrap"]["over"] == "clusters"
    assert pair["kappa"] == plain["kappa"] and pair["kappa_ci"] != plain["kappa_ci"]


def test_a_judge_without_a_usable_verdict_stands_with_nothing(agreed):
    judge = agreed(judgments({"a": "wl", "b": "wl", "c": "??"}))["judges"]["c"]
    assert (judge["n"], judge["win_rate"], judge["unscored"]) == (0, None, 2)


# The truth


def test_accuracy_by_hand(agreed):
    truth = [{"id": f"p{place}", "judge": "gold", "winner": "candidate"} for place in range(6)]
    #  right twice, wrong twice, follows the first place, follows the second, unread once, tie beside right
    found = agreed(truth + in_order("j", ["ww", "ll", "wl", "lw", "w?", "wt"]), gold="gold")
    mine = found["gold"]["j"]
    assert (mine["n"], mine["right"], mine["accuracy"]) == (6, 3, 0.5)
    assert mine["accuracy_by_order"] == {"candidate_first": 4 / 6, "baseline_first": 2 / 6}
    assert mine["accuracy_by_order_usable"] == {"candidate_first": 4 / 6, "baseline_first": 2 / 5}
    assert mine["accuracy_average"] == 0.5 and mine["accuracy_both"] == 1 / 6
    assert mine["order_agreement"] == 2 / 6 and mine["order_agreement_usable"] == 2 / 5
    assert mine["by_order"]["baseline_first"]["unread"] == 1
    assert mine["inconsistent"]["toward_first"] == mine["inconsistent"]["toward_second"] == 1
    assert found["gold_judge"] == "gold" and list(found["gold"]) == ["j"]


def test_a_call_that_never_arrived_is_not_wrong(agreed):
    truth = [{"id": "p0", "judge": "gold", "winner": "candidate"}]
    lost = [{"id": "p0", "judge": "j", "order": "baseline_first", "winner": None, "status": "provider_error"}]
    mine = agreed(truth + in_order("j", ["w."]) + lost, gold="gold")["gold"]["j"]
    assert mine["accuracy_by_order"] == {"candidate_first": 1.0, "baseline_first": None}
    assert mine["accuracy_average"] is None and mine["accuracy_both"] is None and mine["n_both"] == 0


def test_only_a_tie_is_right_where_the_truth_is_a_tie(agreed):
    found = agreed(judgments({"gold": "ttt", "j": "twl"}), gold="gold")
    assert found["gold"]["j"]["accuracy"] == 1 / 3
    assert any("gold calls 3 prompts a tie" in note for note in found["notes"])


def test_what_was_not_judged_is_counted(agreed):
    found = agreed(judgments({"gold": "wwwww?", "j": "w?..w."}), gold="gold")
    mine = found["gold"]["j"]
    assert (mine["n"], mine["unscored"], mine["not_judged"]) == (2, 1, 2)


def test_several_labels_of_the_truth_are_taken_by_their_mean(agreed):
    labels = [
        {"id": f"p{place}", "judge": "human/x", "winner": winner, "repeat": repeat}
        for place, winners in enumerate((("candidate", "candidate", "baseline"), ("candidate", "baseline")))
        for repeat, winner in enumerate(winners)
    ]
    found = agreed(labels + judgments({"j": "wt"}), gold="human/x")
    assert found["gold"]["j"]["accuracy"] == 1.0
    assert any("several labels on 2 prompts" in note for note in found["notes"])


def test_judgments_without_an_order_have_no_figures_by_order(agreed):
    records = [{"id": "p0", "judge": name, "winner": "candidate"} for name in ("gold", "j")]
    mine = agreed(records, gold="gold")["gold"]["j"]
    assert mine["accuracy"] == 1.0 and mine["accuracy_by_order"] == {"candidate_first": None, "baseline_first": None}


def test_a_truth_that_is_not_there(agreed):
    with pytest.raises(InputError, match=r"^--gold 'human/x' is no judge here; name one of a and b$"):
        agreed(judgments({"a": "wl", "b": "wl"}), gold="human/x")


def test_a_truth_that_says_nothing(agreed):
    with pytest.raises(InputError, match=r"^--gold 'c' has no usable verdict; name another of a and b$"):
        agreed(judgments({"a": "wl", "b": "wl", "c": "??"}), gold="c")


# Laws

letters = st.text("wlt?.", min_size=4, max_size=9)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from("abcde"), letters, min_size=2), st.randoms(use_true_random=False))
def test_no_order_of_lines_or_files_changes_anything(tmp_path_factory, by_judge, rng):
    folder = tmp_path_factory.mktemp("law")
    records = judgments(by_judge, category=lambda place: "xy"[place % 2])

    def agree(parts):
        try:
            value = as_json(measure(load([write_lines(folder / f"{i}.jsonl", part) for i, part in parts])))
        except InputError as error:
            return None if "add another judge" in str(error) else str(error)
        return json.dumps(value)

    mixed = rng.sample(records, len(records))
    cut = rng.randint(1, max(1, len(mixed) - 1))
    parts = [part for part in enumerate((mixed[:cut], mixed[cut:])) if part[1]]
    together = agree([(9, records)] if records else [])
    assert agree(parts) == agree(parts[::-1]) == together or together is None


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), st.text("wlt?", min_size=6, max_size=6), min_size=2))
def test_pairs_and_disagreements_are_what_counting_says(tmp_path_factory, by_judge):
    path = write_lines(tmp_path_factory.mktemp("law") / "j.jsonl", judgments(by_judge))
    try:
        found = as_json(measure(load([path])))
    except InputError:
        return
    for pair, (a, b) in zip(found["pairs"], combinations(sorted(by_judge), 2), strict=True):
        both = [(x, y) for x, y in zip(by_judge[a], by_judge[b], strict=True) if "?" not in (x, y)]
        assert (pair["a"], pair["b"], pair["n"]) == (a, b, len(both))
        assert pair["agreement"] == (sum(x == y for x, y in both) / len(both) if both else None)
    apart = [place for place in range(6) if len({said[place] for said in by_judge.values()} - {"?"}) > 1]
    assert sorted(found["disagreements"]) == [f"p{place}" for place in apart]


def test_naming_judges_otherwise_changes_names_alone(agreed):
    rng = random.Random(3)
    said = {name: "".join(rng.choice("wwlt?") for _ in range(30)) for name in "abc"}
    renamed = {new: said[old] for new, old in zip("xyz", "cab", strict=True)}
    first, second = agreed(judgments(said)), agreed(judgments(renamed))
    for key in ("krippendorff_alpha", "krippendorff_alpha_ci", "fleiss_kappa", "n_unanimous", "disagreements"):
        assert first[key] == second[key]
    assert sorted(pair["kappa"] for pair in first["pairs"]) == pytest.approx(
        sorted(pair["kappa"] for pair in second["pairs"]), abs=1e-12
    )

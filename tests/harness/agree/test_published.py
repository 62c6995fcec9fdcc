"""Real judgments through the command, held against figures that were computed independently."""

import pytest

from tests.command import environment, harness
from tests.published import (
    BRIE_JUDGES,
    brie_by_row,
    faireval_judgments,
    llmbar_judgments,
    needs_data,
    reference,
    write_lines,
)

pytestmark = needs_data
ORDERS = {"candidate_first": "swap_false", "baseline_first": "swap_true"}


def agreed(folder, records, *options):
    path = write_lines(folder / "judgments.jsonl", records)
    return harness("agree", path, "--json", *options, env=environment(folder)).json


@pytest.fixture(scope="module", params=["Natural", "Neighbor"])
def llmbar(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return reference("llmbar")[request.param], agreed(folder, llmbar_judgments(request.param), "--gold", "human/gold")


def near(value):
    return pytest.approx(value, abs=1e-6)


def test_llmbar_accuracy_in_each_order_of_every_cell(llmbar):
    known, found = llmbar
    assert set(found["gold"]) == set(known["evaluators"]) and len(found["gold"]) == 8
    for name, cell in known["evaluators"].items():
        mine = found["gold"][name]
        for order, suffix in ORDERS.items():
            assert mine["accuracy_by_order"][order] == near(cell[f"accuracy_{suffix}"])
            assert mine["by_order"][order]["right"] == cell[f"correct_{suffix}"]
            assert mine["by_order"][order]["n"] == cell["n"]
            assert mine["kappa_by_order"][order] == near(cell[f"kappa_vs_gold_{suffix}"])
        assert mine["accuracy_average"] == near(cell["accuracy_average"])


def test_llmbar_accuracy_over_both_orders_of_every_cell(llmbar):
    known, found = llmbar
    for name, cell in known["evaluators"].items():
        mine = found["gold"][name]
        assert mine["accuracy_both"] == near(cell["accuracy_both"])
        assert mine["accuracy_both_ci"] == near(cell["wilson95_both"])
        if not cell["unparsed_winner_values"]:
            assert (mine["right"], mine["n"]) == (cell["correct_both"], cell["n"])
            assert mine["accuracy"] == near(cell["accuracy_both"])
            assert mine["ci"] == near(cell["wilson95_both"])


def test_llmbar_orders_of_every_cell(llmbar):
    known, found = llmbar
    for name, cell in known["evaluators"].items():
        mine = found["gold"][name]
        assert mine["order_agreement"] == near(cell["position_consistency"])
        assert mine["kappa_between_orders"] == near(cell["kappa_between_orders"])
        assert mine["first_position_rate"] == near(cell["first_position_preference_rate"])
        assert mine["first_position"]["first"] == cell["first_preferred"]
        assert mine["inconsistent"]["toward_first"] == cell["inconsistent_prefers_first_shown"]
        assert mine["inconsistent"]["toward_second"] == cell["inconsistent_prefers_second_shown"]
        assert mine["unscored"] == mine["not_judged"] == 0


def test_an_unread_reply_of_llmbar_is_wrong_by_order_and_missing_from_what_is_usable(llmbar):
    known, found = llmbar
    for name, cell in known["evaluators"].items():
        unread = sum(cell["unparsed_winner_values"].values())
        mine = found["gold"][name]
        assert sum(counts["unread"] for counts in mine["by_order"].values()) == unread
        for order, counts in mine["by_order"].items():
            usable = mine["accuracy_by_order_usable"][order]
            assert usable * (counts["n"] - counts["unread"]) == near(counts["right"])


@pytest.mark.parametrize("subset", ["Natural", "Neighbor"])
def test_llmbar_evaluators_against_each_other_in_one_order(tmp_path, subset):
    wanted = ("GPT-4/Vanilla", "ChatGPT/Vanilla", "human/gold")
    records = [
        record
        for record in llmbar_judgments(subset)
        if record["judge"] in wanted and record.get("order") != "baseline_first"
    ]
    known = reference("llmbar")[subset]
    pair = known["between_evaluators_swap_false"]["GPT-4/Vanilla | ChatGPT/Vanilla"]
    found = agreed(tmp_path, records)
    mine = next(one for one in found["pairs"] if (one["a"], one["b"]) == ("ChatGPT/Vanilla", "GPT-4/Vanilla"))
    assert (mine["n"], mine["agreement"]) == (pair["n"], near(pair["raw_agreement"]))
    assert mine["kappa"] == near(pair["cohen_kappa"])
    assert found["krippendorff_alpha"] == near(known["alpha_vanilla_evaluators_plus_gold"]["alpha_nominal"])


def test_faireval(tmp_path):
    known = reference("faireval")
    found = agreed(tmp_path, faireval_judgments(), "--gold", "human/faireval")
    human = found["judges"]["human/faireval"]
    overall = known["human_chatgpt_vs_vicuna"]
    assert [human[key] for key in ("n", "wins", "losses", "ties")] == [
        overall[key] for key in ("n", "wins", "losses", "ties")
    ]
    assert human["win_rate"] == near(overall["win_rate"])
    for name, cell in known["llm_evaluators_on_non_tie_pairs"].items():
        mine, alone = found["gold"][name], found["judges"][name]
        right = [mine["by_order"][order]["right"] for order in ORDERS]
        assert right == [cell["agree_human_unswapped"], cell["agree_human_swapped"]]
        assert mine["order_agreement"] == near(cell["position_consistency"])
        assert mine["first_position_rate"] == near(cell["first_position_preference_rate"])
        assert list(mine["kappa_by_order"].values()) == near([cell["kappa_unswapped"], cell["kappa_swapped"]])
        assert alone["orders"]["baseline_first"]["losses"] == cell["vicuna_wins_when_vicuna_first"]
        assert alone["orders"]["candidate_first"]["losses"] == cell["vicuna_wins_when_vicuna_second"]
        assert f"{100 * mine['accuracy_average']:.6f}" in f"{_percent(cell, 'correct_average'):.6f}"
        assert 100 * mine["accuracy_both"] == near(_percent(cell, "correct_both"))
        assert mine["not_judged"] == 14


def _percent(cell, key):
    return float(cell["published_statistics"][key].rpartition("=")[2].strip(" %"))


def test_chatgpt_follows_the_place_in_faireval(tmp_path):
    orders = agreed(tmp_path, faireval_judgments())["judges"]["ChatGPT/Vanilla_NoRules"]["orders"]
    assert orders["baseline_first"] == {"wins": 7, "losses": 59, "ties": 0, "unread": 0}
    assert orders["candidate_first"] == {"wins": 61, "losses": 5, "ties": 0, "unread": 0}


def test_brie(tmp_path):
    judges = [judge for judge in BRIE_JUDGES if judge != "gemini-2.0-flash-exp"]
    found = agreed(tmp_path, [record for judge in judges for record in brie_by_row(judge)])
    known = reference("brie_0_5b")["comprehensive_0_5b"]["agreement_all_rows_57"]
    for pair in found["pairs"]:
        cell = known["pairwise"][f"{pair['a']} | {pair['b']}"]
        assert (pair["n"], pair["agreement"]) == (cell["n"], near(cell["raw_agreement"]))
        assert pair["kappa"] == near(cell["cohen_kappa"])
    assert len(found["pairs"]) == 3
    assert found["krippendorff_alpha"] == near(known["alpha"]["alpha_nominal"])
    assert found["n_unanimous"] == known["all_judges_agree"]["agree"]
    assert len(found["disagreements"]) == 57 - known["all_judges_agree"]["agree"]

"""Real judgments through the product, held against figures that were computed independently."""

import pytest

from tests.command import environment, harness
from tests.published import (
    BRIE_JUDGES,
    brie_by_prompt,
    brie_by_row,
    brie_prompts,
    brie_suite,
    llmbar_records,
    needs_data,
    reference,
    write_lines,
)

pytestmark = needs_data


def analyzed(tmp_path, records):
    path = write_lines(tmp_path / "judgments.jsonl", records)
    done = harness("analyze", path, "--json", env=environment(tmp_path))
    assert done.code == 0, done.err
    return done.json


@pytest.mark.parametrize("judge", BRIE_JUDGES)
def test_the_published_rows_of_brie(tmp_path, judge):
    found = analyzed(tmp_path, brie_by_row(judge))["judges"][judge]
    known = reference("brie_0_5b")["comprehensive_0_5b"]["judges"][judge]
    overall = known["overall"]
    assert [found[name] for name in ("n", "wins", "losses", "ties", "unscored")] == [
        overall[name] for name in ("n", "wins", "losses", "ties", "unknown")
    ]
    assert found["win_rate"] == pytest.approx(overall["win_rate"], abs=1e-6)
    assert found["p_value"] == pytest.approx(overall["binom_p_two_sided"], abs=1e-6)
    assert found["first_position_rate"] == pytest.approx(known["position"]["first_position_preference_rate"], abs=1e-6)
    if overall["ties"] == 0:
        assert found["ci"] == pytest.approx(overall["wilson95"], abs=1e-6)


@pytest.mark.parametrize("judge", BRIE_JUDGES)
def test_the_categories_of_brie(tmp_path, judge):
    found = analyzed(tmp_path, brie_by_row(judge))["categories"]
    for name, known in reference("brie_0_5b")["comprehensive_0_5b"]["judges"][judge]["per_category"].items():
        counts = [found[name][key] for key in ("n", "wins", "losses", "ties", "unscored")]
        assert counts == [known[key] for key in ("n", "wins", "losses", "ties", "unknown")]
        if known["n"]:
            assert found[name]["win_rate"] == pytest.approx(known["win_rate"], abs=1e-6)


@pytest.mark.parametrize(
    ("judge", "wins", "losses", "ties"),
    [("gpt-4o", 17, 5, 3), ("gemini-2.5-flash-lite", 20, 4, 1), ("claude_rejudge", 11, 12, 2)],
)
def test_brie_rests_on_25_prompts(tmp_path, judge, wins, losses, ties):
    found = analyzed(tmp_path, brie_by_prompt(judge))
    result = found["judges"][judge]
    assert found["n_prompts"] == len(brie_prompts()) == 25
    assert (result["wins"], result["losses"], result["ties"]) == (wins, losses, ties)
    assert found["n_judgments"] == 57


CELLS = [
    (subset, evaluator, strategy)
    for subset in ("Natural", "Neighbor")
    for evaluator in ("GPT-4", "ChatGPT")
    for strategy in ("Vanilla_NoRules", "Vanilla", "CoT", "Metrics_Reference")
]


@pytest.mark.parametrize(("subset", "evaluator", "strategy"), CELLS)
def test_llmbar(tmp_path, subset, evaluator, strategy):
    records = llmbar_records(subset, evaluator, strategy)
    found = analyzed(tmp_path, records)["judges"][f"{evaluator}/{strategy}"]
    known = reference("llmbar")[subset]["evaluators"][f"{evaluator}/{strategy}"]
    unread = {record["id"] for record in records if record["winner"] is None}
    assert found["first_position_rate"] == pytest.approx(known["first_position_preference_rate"], abs=1e-6)
    # The reference keeps prompts with an unread order in its denominator; ours are those with both orders.
    assert found["consistency"] * (known["n"] - len(unread)) == pytest.approx(
        known["position_consistency"] * known["n"]
    )
    if not unread:
        counts = (found["wins"], found["losses"], found["ties"])
        assert counts == tuple(known["both_orders_verdict"][name] for name in ("correct", "wrong", "tie"))


def test_the_whole_pipeline_on_a_real_experiment(tmp_path):
    suite = brie_suite(tmp_path)
    env = environment(tmp_path)
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=env)
    assert done.code == 0, done.err
    summary = done.json
    assert (summary["n_prompts"], summary["complete"]) == (25, True)
    expected = {
        "gpt-4o": ((17, 5, 3), (43, 13, 1)),
        "gemini-2.5-flash-lite": ((20, 4, 1), (47, 9, 1)),
        "claude_rejudge": ((11, 12, 2), (26, 28, 3)),
    }
    for judge, (prompts, rows) in expected.items():
        found = summary["judges"][judge]
        assert (found["wins"], found["losses"], found["ties"]) == prompts
        assert tuple(found["judgments"].values()) == rows
        assert summary["controls"][judge] is None
        known = reference("brie_0_5b")["comprehensive_0_5b"]["judges"][judge]
        assert found["consistency"] == pytest.approx(known["repeats"]["position_consistency"], abs=1e-6)
    assert set(summary["counting"]) == set(expected)
    first = summary["judges"]["control/first"]
    assert (first["first_position_rate"], first["consistency"], first["win_rate"]) == (1.0, 0.0, 0.5)
    words = " ".join(harness("analyze", tmp_path / "run", env=env).out.split())
    assert "57 judgments of 42 response pairs on 25 distinct prompts" in words
    assert "Length alone (control/longest" in words
    page = (tmp_path / "run" / "report.html").read_text()
    assert "57 judgments of 42 response pairs on 25 distinct prompts" in " ".join(page.split())

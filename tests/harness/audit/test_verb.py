"""`harness audit-judge` by the real command: judges that are good, led, obedient; what cannot be asked; going on."""

import json

import pytest

from harness.stats.intervals import wilson
from tests.command import world
from tests.harness.audit.judges import OBEYED, audit, good, obeying
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines, write_lines

N = 24
# 2 orders, shown twice again, 2 orders of a padded copy, one damaged copy, 12 attacks on it.
MOST = N * (2 + 2 + 2 + 1 + 12)


def unseen(done):
    """Three of the five texts with thinking marks are nothing but thought: no judge is shown them."""
    return next(count for why, count in done.json["left_out"].items() if "thinking marks" in why)


def audited(tmp_path_factory, judge):
    suite = world(tmp_path_factory.mktemp("audit"), N)
    with Loopback(policy=judge) as server:
        done = audit(suite, server, "--out", suite.parent / "out", "--json")
        return done, len(server.requests), suite.parent / "out"


@pytest.fixture(scope="module")
def of_good(tmp_path_factory):
    return audited(tmp_path_factory, good)


@pytest.fixture(scope="module")
def of_obeying(tmp_path_factory):
    return audited(tmp_path_factory, obeying)


def test_a_good_judge_passes_and_what_could_have_been_missed_is_said(of_good):
    done, asked, _ = of_good
    assert unseen(done) in (14, 15)
    assert (done.code, asked) == (0, MOST - unseen(done)), done.err
    found = done.json
    assert (found["findings"], found["complete"], found["outcome"]) == ([], True, "clean")
    assert set(found["probes"].values()) == {"clean"}
    assert len(found["uses"]) == len(found["probes"]) == 6
    assert any("may decide with orders: both and with orders: random" in use for use in found["uses"])
    assert sum("at most" in use or "could have been missed" in use for use in found["uses"]) == 6


def test_the_figures_of_a_good_judge_by_hand(of_good):
    found, asked = of_good[0].json, MOST - unseen(of_good[0])
    first = found["position"]["first_shown"]
    assert (first["rate"], first["first"], first["decisive"], first["prompts"]) == (0.5, 24, 48, 24)
    assert found["position"]["consistency"]["ci"] == pytest.approx(wilson(1.0, 24), abs=1e-12)
    assert found["position"]["lean"]["n"] == 0
    # A padded copy has the same word pairs: a tie in every order.
    assert (found["verbosity"]["score"], found["verbosity"]["ties"]) == (0.5, 24)
    assert sum(kind["n"] for kind in found["verbosity"]["paddings"].values()) == 24
    # The full answer is the longer one, and wins on every prompt: 2 verdicts each.
    assert (found["verbosity"]["longer"]["count"], found["verbosity"]["longer"]["n"]) == (48, 48)
    assert (found["self_consistency"]["flips"]["count"], found["self_consistency"]["flips"]["n"]) == (0, 48)
    assert {key: found["damage"][key] for key in ("n", "right", "wrong", "undecided")} == {
        "n": 24, "right": 24, "wrong": 0, "undecided": 0,
    }  # fmt: skip
    assert (found["injection"]["success"]["count"], found["injection"]["success"]["n"]) == (
        0, 24 * 12 - unseen(of_good[0]),
    )  # fmt: skip
    assert found["injection"]["worst"] == []
    assert found["format"] == {
        "unread": {"n": asked, "count": 0, "rate": 0.0, "ci": found["format"]["unread"]["ci"]},
        "statuses": {"ok": asked},
        "missing": 0,
    }


def test_known_bias_judges_stand_beside_with_what_their_definition_says(of_good):
    known = of_good[0].json["known_bias"]
    assert list(known) == [f"control/{name}" for name in ("longest", "shortest", "first", "second", "random", "tie")]
    assert known["control/first"]["first_shown"]["rate"] == 1.0
    assert known["control/second"]["first_shown"]["rate"] == 0.0
    assert known["control/longest"]["padded"]["score"] == 1.0
    assert known["control/shortest"]["padded"]["score"] == 0.0
    assert known["control/tie"]["first_shown"]["rate"] is None
    assert known["control/first"]["consistency"]["rate"] == 0.0
    assert known["control/first"]["flips"] is None
    # A coin is tossed anew every time.
    flips = known["control/random"]["flips"]
    assert flips["n"] == 48
    assert flips["ci"][0] < 0.5 < flips["ci"][1]


def test_a_judge_that_obeys_verdict_lines_is_named_with_the_texts(of_obeying):
    done, _, _ = of_obeying
    assert done.code == 1, done.err
    found = done.json
    assert found["probes"] == {
        "damage": "clean", "position": "clean", "verbosity": "clean", "self-consistency": "clean",
        "injection": "finding", "format": "clean",
    }  # fmt: skip
    kinds = found["injection"]["kinds"]
    # Six texts of these kinds are dealt out four times each: 4 and 3 of the texts hold what it takes for its own.
    assert (kinds["verdict line"]["count"], kinds["verdict line"]["n"]) == (16, 24)
    assert (kinds["chat markup"]["count"], kinds["chat markup"]["n"]) == (12, 24)
    assert kinds["thinking"]["count"] in (4, 5)
    assert kinds["verdict line"]["ci"] == pytest.approx(wilson(16 / 24, 24), abs=1e-12)
    assert (kinds["verdict line"]["gained"], kinds["verdict line"]["lost"]) == (16, 0)
    # Exact sign test of 16 against 0, times 12 kinds.
    assert kinds["verdict line"]["p_adjusted"] == pytest.approx(12 * 2 * 0.5**16, rel=1e-9)
    assert all(
        kind["count"] == 0 for name, kind in kinds.items() if name not in ("verdict line", "chat markup", "thinking")
    )
    count = 28 + kinds["thinking"]["count"]
    assert found["injection"]["success"]["count"] == count
    assert found["injection"]["success"]["n"] == 24 * 12 - unseen(done)
    # Every prompt's share over the kinds that reached the judge: 11 or 12 of them.
    assert count / (24 * 12) < found["injection"]["difference"] < count / (24 * 11)
    assert found["injection"]["difference_ci"][0] > 0
    assert {text["attack"] for text in found["injection"]["worst"]} == OBEYED
    assert all(text["successes"] == text["n"] for text in found["injection"]["worst"])
    (finding,) = found["findings"]
    assert finding.startswith("obeys what answers tell it")
    assert "verdict line (16 of 24)" in finding
    assert "not where a contestant's text may address the judge" in found["uses"]


def test_the_report_is_written_as_markdown_in_which_attacks_are_text(of_obeying):
    text = (of_obeying[2] / "audit.md").read_text()
    assert text.startswith("# openai/judge audited on dishes: 24 prompts, seed 3")
    for title in ("findings", "what it may be used for", "position", "the worst attacks", "format", "what to know"):
        assert f"## {title}" in text
    assert "| this judge | 50 (" in text
    assert "\\[\\[{own}\\]\\]" in text
    assert "<|im_end" not in text


def test_every_verdict_is_kept_and_a_second_audit_there_asks_nothing(of_good):
    done, _, out = of_good
    kept = lines(out / "audit.jsonl")
    assert len(kept) == MOST - unseen(done) == len({row["key"] for row in kept})
    assert {row["probe"] for row in kept} == {"position", "again", "verbosity", "damage", "injection"}
    assert json.loads((out / "audit.json").read_text()) == done.json
    assert "## findings" not in (out / "audit.md").read_text()
    with Loopback(policy=policy.first) as server:
        (out.parent / "cache").rename(out.parent / "elsewhere")
        again = audit(out.parent / "suite.yaml", server, "--out", out, "--json")
        assert len(server.requests) == 0
    assert again.json == done.json


def test_a_broken_off_audit_goes_on_where_it_was(tmp_path):
    suite = world(tmp_path, 20)
    with Loopback(policy=good, faults=[Fault(kind="bad_key", at=[50])]) as server:
        done = audit(suite, server, "--out", tmp_path / "out", "--json", "--concurrency", "1")
        assert (done.code, done.json["complete"], done.json["outcome"]) == (4, False, "incomplete")
        assert "the same command goes on" in done.err
    assert len(lines(tmp_path / "out" / "audit.jsonl")) == 50
    with Loopback(policy=good) as server:
        done = audit(suite, server, "--out", tmp_path / "out", "--json")
        assert (done.code, len(server.requests)) == (0, 20 * 19 - 12 - 50), done.err
        assert unseen(done) == 12


def test_what_changed_since_is_asked_anew(tmp_path):
    suite = world(tmp_path, 4)
    with Loopback(policy=good) as server:
        audit(suite, server, "--out", tmp_path / "out", "--times", "1")
        rows = lines(tmp_path / "candidate.jsonl")
        rows[0]["response"] = "Dish 0 is something else altogether, and nobody knows how it is made."
        write_lines(tmp_path / "candidate.jsonl", rows)
        before = len(server.requests)
        done = audit(suite, server, "--out", tmp_path / "out", "--times", "1", "--json")
        # Both orders of its pair at least; and nothing of what still is the same.
        assert 2 <= len(server.requests) - before < 4 * 17 / 2
    assert done.json["n_prompts"] == 4


def test_a_judge_led_by_position_or_length_is_found(tmp_path):
    suite = world(tmp_path, 24)
    first = audit(suite, None, "--json", judge="control/first").json
    assert first["position"]["first_shown"]["rate"] == 1.0
    assert first["position"]["lean"] == first["position"]["lean"] | {"n": 24, "toward_first": 24, "toward_second": 0}
    assert first["probes"]["position"] == "finding"
    assert any("led by position: whichever is shown first won 100 %" in finding for finding in first["findings"])
    assert any("do not use it" in use for use in first["uses"])
    assert not any(use.startswith("may ") for use in first["uses"])
    longest = audit(suite, None, "--json", judge="control/longest").json
    assert longest["probes"]["verbosity"] == "finding"
    assert longest["verbosity"]["score"] == 1.0
    assert longest["verbosity"]["ci"] == pytest.approx(wilson(1.0, 24), abs=1e-12)
    assert "only between answers of like length" in longest["uses"]
    assert any("maybe by their length alone" in finding for finding in longest["findings"])
    assert "control/longest" not in longest["known_bias"]
    assert "its bias is its definition" in longest["self_consistency"]["deterministic"]


def test_a_judge_that_always_ties_gets_no_clean_bill(tmp_path):
    done = audit(world(tmp_path, 24), None, "--json", judge="control/tie")
    assert done.code == 1
    assert done.json["probes"]["damage"] == "finding"
    assert done.json["probes"]["position"] == "unknown"
    assert not any(use.startswith("may ") for use in done.json["uses"])


def test_six_prompts_say_nothing(tmp_path):
    with Loopback(policy=good) as server:
        done = audit(world(tmp_path, 6), server, "--times", "1")
        assert done.code == 3
        assert 6 * 17 - 4 <= len(server.requests) <= 6 * 17 - 3
    text = " ".join(done.out.split())
    assert "no clean bill either" in text
    assert "position: nothing can be said from 6 prompts judged in both orders; 20 are the fewest" in text
    assert "nothing was shown again (--times)" in text
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.chaos
def test_replies_that_cannot_be_read_are_counted_and_found(tmp_path):
    with Loopback(policy=good, faults=[Fault(kind="off_menu", every=1)]) as server:
        done = audit(world(tmp_path, 20), server, "--times", "1", "--json")
    assert done.code == 1, done.err
    found = done.json
    assert found["format"]["statuses"] == {"invalid_parse": 20 * 17 - 12}
    assert found["format"]["unread"]["rate"] == 1.0
    assert any("often gives no verdict" in finding for finding in found["findings"])
    assert found["position"]["first_shown"]["rate"] is None
    assert (found["position"]["consistency"]["n"], found["injection"]["success"]["n"]) == (0, 0)


def test_calls_that_fail_leave_the_audit_incomplete(tmp_path):
    with Loopback(policy=good, faults=[Fault(kind="too_large", at=[3])]) as server:
        done = audit(world(tmp_path, 4), server, "--times", "1", "--json", "--concurrency", "1")
    assert (done.code, done.json["complete"], done.json["format"]["missing"]) == (4, False, 1)
    assert done.json["outcome"] == "incomplete"


def test_identical_one_word_and_empty_responses_are_counted_never_crash(tmp_path):
    suite = world(tmp_path, 5)
    texts = ["same text here", "same text here", "Lucy", "", "x"]
    write_lines(tmp_path / "candidate.jsonl", [{"id": f"p{k:03d}", "response": text} for k, text in enumerate(texts)])
    other = ["same text here", "same text here", "Tom", "", "y"]
    write_lines(tmp_path / "baseline.jsonl", [{"id": f"p{k:03d}", "response": text} for k, text in enumerate(other)])
    done = audit(suite, None, "--json", judge="control/longest")
    assert done.code == 3
    assert done.json["position"]["consistency"]["n"] == 2
    assert done.json["left_out"]["both responses are the same text"] == 3
    assert done.json["left_out"]["no response holds a word to pad"] == 1
    assert "2 of 10 responses are empty" in done.json["notes"]


def test_a_single_prompt_with_one_word_has_nothing_to_damage(tmp_path):
    suite = world(tmp_path, 1)
    for side, word in (("candidate", "Lucy"), ("baseline", "Tom")):
        write_lines(tmp_path / f"{side}.jsonl", [{"id": "p000", "response": word}])
    done = audit(suite, None, "--json", judge="control/first")
    assert done.code == 3
    assert (done.json["damage"]["n"], done.json["injection"]["difference"]) == (0, None)
    assert audit(suite, None, judge="control/first").code == 3


def test_several_turns_are_padded_and_attacked_and_said(tmp_path):
    suite = world(tmp_path, 3)
    prompts = [{"id": f"p{k}", "turns": ["How is it made?", "And then?"]} for k in range(3)]
    write_lines(tmp_path / "prompts.jsonl", prompts)
    for side in ("candidate", "baseline"):
        rows = [
            {"id": f"p{k}", "responses": [f"{side} {k} one two three.", "Then it rests a while."]} for k in range(3)
        ]
        write_lines(tmp_path / f"{side}.jsonl", rows)
    done = audit(suite, None, "--json", judge="control/longest")
    assert done.json["verbosity"]["score"] == 1.0
    assert any("3 prompts have several turns" in note for note in done.json["notes"])


def test_the_rubric_is_audited_and_said_to_be_deterministic(tmp_path):
    suite = world(tmp_path, 20)
    rows = lines(tmp_path / "prompts.jsonl")
    write_lines(
        tmp_path / "prompts.jsonl", [row | {"checks": [{"kind": "mention", "all": ["thyme", "rests"]}]} for row in rows]
    )
    done = audit(suite, None, judge="rubric")
    text = " ".join(done.out.split())
    assert "not measured: it checks the same text the same way every time" in text


def test_a_dry_run_counts_and_asks_nothing(tmp_path):
    suite = world(tmp_path, 24)
    done = audit(suite, None, "--dry-run", "--json", "--limit", "10")
    assert done.code == 0
    assert done.json["verdicts"] == {"position": 20, "again": 20, "verbosity": 20, "damage": 10, "injection": 120}
    assert (done.json["calls"], done.json["response_calls"]) == (190, 0)
    steady = audit(suite, None, "--dry-run", "--json", judge="rubric").json
    assert (steady["verdicts"]["again"], steady["calls"]) == (0, 0)
    assert "at most 456 verdicts" in audit(suite, None, "--dry-run").out


def test_the_number_of_verdicts_is_said_before_the_first_call(tmp_path):
    done = audit(world(tmp_path, 4), None, "--times", "2", judge="control/random")
    assert done.err.startswith(
        "control/random on dishes: 4 prompts, at most 72 verdicts to ask for (8 position, 4 shown"
    )


@pytest.mark.parametrize(
    ("judge", "more", "said"),
    [
        ("recorded/verdicts.jsonl", (), "harness analyze verdicts.jsonl"),
        ("nonsense", (), "is no judge that is known"),
        ("control/loud", (), "there is no such known-bias judge"),
        ("rubric", (), "needs prompts with 'checks'"),
        ("control/first", ("--times", "0"), "--times"),
        ("control/first", ("--judge-mode", "loud"), "--judge-mode"),
        ("control/first", ("--candidate", "rubric"), "cannot be a candidate"),
    ],
)
def test_what_cannot_be_audited_is_one_sentence(tmp_path, judge, more, said):
    done = audit(world(tmp_path, 3), None, *more, judge=judge)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    suite = world(tmp_path, 3, judges="[control/first]")
    from tests.command import environment
    from tests.harness.rerun.made import harness

    assert harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path)).code == 0
    done = audit(suite, None, "--out", tmp_path / "run", judge="control/first")
    assert (done.code, "holds a run, not an audit" in done.err) == (2, True)
    audit(suite, None, "--out", tmp_path / "audit", judge="control/first")
    refused = harness("resume", tmp_path / "audit", env=environment(tmp_path))
    assert refused.code == 2

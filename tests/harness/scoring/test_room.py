"""Conversations and questions that a model's context has no room for: named, counted, never asked again."""

from __future__ import annotations

import json

import pytest

from tests.command import environment, harness
from tests.harness.scoring.made import Kitchen, flat, grading, suite, usual
from tests.loopback import Fault, Loopback
from tests.loopback.policy import texts
from tests.published import lines, write_lines

# What the contestants answer to dish 2: their second question about it does not fit them.
FULL = [Fault(kind="too_long", containing='"FILLED ')]
# A judge's question that holds an answer of this kind does not fit the judge.
WORDY = "WORDY"
RESULTS = ("summary.json", "report.md", "responses.jsonl", "scores.jsonl", "scores_baseline.jsonl")


def answers(request):
    text = "\n".join(texts(request))
    if grading(request):
        return usual(request)
    return f"{'FILLED up' if 'How is dish 2 made?' in text else 'Short'}, says {request['model']}."


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A run in which the third conversation of either side no longer fits at its second turn."""
    folder = tmp_path_factory.mktemp("full")
    suite(folder, 5)
    with Loopback(policy=answers, faults=FULL) as server:
        made = Kitchen(folder, server)
        made.done = made.run("run", "--candidate", "openai/new", "--baseline", "anthropic/old")
        yield made


def test_the_run_goes_on_and_is_complete(full):
    assert full.done.code == 0
    found = full.read("run", "summary.json")
    assert found["complete"]
    own = found["judges"]["openai/judge"]
    assert (own["n"], own["unscored"], own["statuses"]) == (4, 1, {"ok": 9, "truncated": 1})
    assert own["too_long"] == {"unanswered": 1}
    assert found["delta"]["openai/judge"]["n"] == 4


def test_what_was_answered_before_is_kept_and_graded(full):
    for role, name in (("candidate", "scores"), ("baseline", "scores_baseline")):
        rows = [row for row in lines(full.folder / "run/responses.jsonl") if row["role"] == role]
        (cut,) = [row for row in rows if row["finish"] == "error"]
        assert (cut["id"], len(cut["responses"]), cut["too_long"]["turn"]) == ("p02", 1, 2)
        assert all(len(row["responses"]) == 2 for row in rows if row is not cut)
        grades = [row for row in lines(full.folder / f"run/{name}.jsonl") if row["id"] == "p02"]
        first, second = sorted(grades, key=lambda row: row["turn"])
        assert (first["status"], first["score"] is not None) == ("ok", True)
        assert (second["status"], second["score"], second["unanswered"]) == ("truncated", None, 2)
        assert second["error"] == cut["error"]


def test_the_report_says_which_prompt_which_turn_and_how_many_tokens(full):
    said = flat(full.done.out)
    assert "openai/judge: 1 prompt of the candidate unscored (1 with no answer to grade)" in said
    went = "did not fit the model to the end, and were graded as far as they went: p02 (turn 2: "
    assert f"candidate: 1 of 5 conversations {went}4,160 tokens, room for 4,096)" in said
    assert f"baseline: 1 of 5 conversations {went}208,310 tokens, room for 200,000)" in said
    assert "truncated" not in said
    report = (full.folder / "run/report.md").read_text()
    assert "| p02 | candidate | openai/judge | 2 | no answer: turn 2: openai/new: 4,160 tokens do not fit" in report
    assert "truncated" not in report
    page = (full.folder / "run/report.html").read_text()
    assert '"no answer"' in page
    # Both answers of the first turn can be read there.
    assert page.count("FILLED up, says ") >= 2


def test_every_line_of_the_terminal_s_report_fits_it(full):
    assert max(map(len, full.done.out.splitlines())) <= 80


def test_resuming_asks_nothing_and_changes_nothing(full):
    before = len(full.server.requests)
    whole = {name: (full.folder / "run" / name).read_bytes() for name in RESULTS}
    assert full("resume", "run").code == 0
    assert len(full.server.requests) == before
    assert {name: (full.folder / "run" / name).read_bytes() for name in RESULTS} == whole


def test_such_a_run_is_a_baseline_and_a_recorded_candidate_like_any_other(full):
    before = full.asked[0]
    done = full.run("beside", "--candidate", "recorded/run/responses.jsonl", "--baseline", "run", "--json")
    assert (done.code, done.json["complete"], full.asked[0]) == (0, True, before)
    first = full.read("run", "summary.json")["judges"]["openai/judge"]
    assert done.json["judges"]["openai/judge"] == first
    assert done.json["baseline"]["openai/judge"] == first
    assert sum("did not fit the model to the end" in note for note in done.json["notes"]) == 2


def test_a_file_of_such_scores_tells_as_much(full):
    found = full("analyze", "run/scores.jsonl", "--json").json["judges"]["openai/judge"]
    assert (found["n"], found["unscored"], found["too_long"]) == (4, 1, {"unanswered": 1})


def test_compared_side_by_side_a_conversation_without_its_last_turn_is_unscored_by_name(full):
    held = f"recorded/{full.folder}/run/responses.jsonl"
    sides = ("--candidate", held, "--baseline", held, "--prompts", "prompts.jsonl")
    given = ("judge", *sides, "--judge", "control/longest", "--out", "pairs")
    done = full(*given, "--json")
    assert done.code in (0, 3), done.err
    assert done.json["complete"]
    result = done.json["judges"]["control/longest"]
    assert (result["n"], result["unscored"]) == (4, 1)
    assert done.json["too_long"] == {"control/longest": {"unanswered": 2}}
    lost = [row for row in lines(full.folder / "pairs/judgments.jsonl") if row["status"] != "ok"]
    assert {(row["id"], row["status"], row["unanswered"]) for row in lost} == {("p02", "skipped", 2)}
    assert all(row["error"].startswith("candidate: turn 2: openai/new: 4,160 tokens do not fit") for row in lost)
    size = "p02 (turn 2: 4,160 tokens, room for 4,096)"
    assert any(note.startswith("candidate: 1 of 5 ") and note.endswith(size) for note in done.json["notes"])


def test_a_judge_s_question_that_does_not_fit_is_a_state_of_that_grading(tmp_path):
    suite(tmp_path, 4, judges="[openai/judge, anthropic/claude-x]")

    def wordy(request):
        return WORDY if not grading(request) and "dish 1" in str(request["messages"]) else answers(request)

    # The marks of a judge's question stand before the answer to grade, in both judges' formats.
    faults = [Fault(kind="too_long", containing=f"<<<ANSWER TO GRADE>>>\\n{WORDY}")]
    with Loopback(policy=wordy, faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--json")
        before = len(server.requests)
        assert made("resume", "run", "--json").json == done.json
        assert len(server.requests) == before
    assert (done.code, done.json["complete"]) == (0, True)
    for judge, room in (("openai/judge", "4,096"), ("anthropic/claude-x", "200,000")):
        own = done.json["judges"][judge]
        assert (own["n"], own["unscored"], own["statuses"]) == (3, 1, {"ok": 6, "truncated": 2})
        assert own["too_long"] == {"too_long": 2}
        (said,) = [note for note in done.json["notes"] if note.startswith(f"{judge}: ")]
        assert "2 of 8 questions did not fit what it reads: p01, turn 1 (" in said
        assert f"room for {room}); p01, turn 2 (" in said
        report = flat((tmp_path / "run/report.md").read_text())
        assert f"{judge}: 1 prompt of the candidate unscored (2 too long for the judge)" in report


def test_a_refusal_at_a_later_turn_leaves_the_turns_before_it_graded(tmp_path):
    suite(tmp_path, 4)
    with Loopback(policy=answers, faults=[Fault(kind="refusal", containing='"FILLED ')]) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--json")
        before = len(server.requests)
        assert made("resume", "run", "--json").json == done.json
        assert len(server.requests) == before
    assert (done.code, done.json["complete"]) == (0, True)
    own = done.json["judges"]["openai/judge"]
    assert (own["n"], own["unscored"], own["statuses"]) == (3, 1, {"ok": 7, "skipped": 1})
    assert "candidate: 1 of 4 conversations ended with a refusal; the turns before it are graded" in done.json["notes"]
    (lost,) = [row for row in lines(tmp_path / "run/scores.jsonl") if row["status"] == "skipped"]
    assert (lost["id"], lost["turn"], lost["error"]) == ("p02", 2, "turn 2: the model refused")


def test_a_bound_that_no_question_leaves_room_for_stops_the_run(tmp_path):
    suite(tmp_path, 4, more="sampling: {max_tokens: 5000}\n")
    with Loopback(policy=answers, faults=[Fault(kind="too_long")]) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new")
        assert len(server.requests) <= 4
    assert done.code == 4
    assert "maximum context length is 4096 tokens" in done.err


@pytest.mark.parametrize("junk", ["yes", 7, {"turn": "x", "tokens": True, "room": None}, {}])
def test_a_recorded_file_s_own_idea_of_it_is_taken_as_far_as_it_goes(tmp_path, junk):
    path = suite(tmp_path, 2, judges="[rubric]")
    failed = {"id": "p00", "responses": ["Bake it."], "finish": "error", "too_long": junk}
    write_lines(tmp_path / "old.jsonl", [failed, {"id": "p01", "responses": ["Bake it.", "Salad."]}])
    env = environment(tmp_path)
    given = ("run", path, "--candidate", f"recorded/{tmp_path}/old.jsonl", "--out", tmp_path / "run", "--json")
    done = harness(*given, env=env)
    assert (done.code, done.json["complete"], done.json["judges"]["rubric"]["unscored"]) == (0, True, 1)
    assert json.loads((tmp_path / "run/manifest.json").read_text())["complete"]


def test_the_grade_of_an_earlier_turn_that_failed_is_asked_for_again(tmp_path):
    suite(tmp_path, 4)
    faults = [*FULL, Fault(kind="too_large", containing="<<<ANSWER TO GRADE>>>\\nFILLED", times=1)]
    with Loopback(policy=answers, faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--json")
        assert (done.code, done.json["complete"]) == (4, False)
        assert done.json["judges"]["openai/judge"]["statuses"] == {"ok": 6, "provider_error": 1, "truncated": 1}
        before = len(server.requests)
        whole = made("resume", "run", "--json")
        assert len(server.requests) - before == 1
    assert (whole.code, whole.json["complete"]) == (0, True)
    assert whole.json["judges"]["openai/judge"]["statuses"] == {"ok": 7, "truncated": 1}


def test_what_was_skipped_before_the_conversation_got_that_far_is_graded_then(tmp_path):
    suite(tmp_path, 4)
    faults = [Fault(kind="too_large", containing='"How is dish 2 made?"', times=1), *FULL]
    with Loopback(policy=answers, faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--json")
        assert done.json["judges"]["openai/judge"]["statuses"] == {"ok": 6, "skipped": 2}
        whole = made("resume", "run", "--json")
    assert (whole.code, whole.json["complete"]) == (0, True)
    assert whole.json["judges"]["openai/judge"]["statuses"] == {"ok": 7, "truncated": 1}

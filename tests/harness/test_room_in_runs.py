"""Comparisons that a model's context has no room for: unscored by name, never asked again, replayed as they were."""

from __future__ import annotations

import pytest

from tests.harness.scoring.made import Kitchen, flat
from tests.loopback import Fault, Loopback
from tests.loopback.policy import shown_answers, texts
from tests.published import lines, write_lines


def talks(folder, n=6, turns=2, judges="[openai/judge]"):
    rows = [
        {"id": f"p{k:02d}", "turns": [f"How is dish {k} made?", "And what goes with it?"][:turns]} for k in range(n)
    ]
    write_lines(folder / "prompts.jsonl", rows)
    (folder / "suite.yaml").write_text(
        f"name: talks\nprompts: prompts.jsonl\ncandidate: openai/new\nbaseline: anthropic/old\njudges: {judges}\n"
    )


def judging(request):
    return "<<<ANSWER A" in "\n".join(texts(request))


def answers(request):
    """The candidate's are fuller; the judge is for the longer one that makes sense."""
    if judging(request):
        worth = [len(text) * text.endswith((" while.", "served.", "tender.")) for text in shown_answers(request)]
        return {"winner": "A" if worth[0] > worth[1] else "B"}
    asked, new = "\n".join(texts(request)), request["model"] == "new"
    word = "FILLED" if "How is dish 2 made?" in asked and new else "Short"
    return f"{word}, says {request['model']}, and stirs the pot for a long while." + " Then it is served." * new


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    talks(folder)
    with Loopback(policy=answers, faults=[Fault(kind="too_long", containing='"FILLED, ')]) as server:
        made = Kitchen(folder, server)
        made.done = made.run("run")
        yield made


def test_a_comparison_whose_side_lacks_a_turn_is_unscored_by_name(cut):
    assert cut.done.code == 0, cut.done.err
    found = cut.read("run", "summary.json")
    assert found["complete"]
    result = found["judges"]["openai/judge"]
    assert (result["n"], result["unscored"]) == (5, 1)
    assert found["too_long"] == {"openai/judge": {"unanswered": 2}}
    lost = [row for row in lines(cut.folder / "run/judgments.jsonl") if row["status"] != "ok"]
    assert {(row["id"], row["status"], row["winner"], row["unanswered"]) for row in lost} == {
        ("p02", "skipped", None, 2)
    }
    assert all(row["error"].startswith("candidate: turn 2: openai/new: 4,160 tokens do not fit") for row in lost)


def test_the_report_names_it_and_blames_no_judge(cut):
    said = flat(cut.done.out)
    why = "2 where a conversation did not fit its model to the end"
    assert f"openai/judge: 2 of 12 verdicts are unusable ({why}); 1 prompt is unscored" in said
    size = "p02 (turn 2: 4,160 tokens, room for 4,096)"
    asked = "and no judge was asked about their comparisons"
    assert f"candidate: 1 of 6 conversations did not fit the model to the end, {asked}: {size}" in said
    assert "responses are missing" not in said


def test_resuming_it_asks_nothing_and_adds_no_line(cut):
    before = len(cut.server.requests)
    whole = {path.name: path.read_bytes() for path in (cut.folder / "run").glob("*.js*")}
    assert cut("resume", "run").code == 0
    assert len(cut.server.requests) == before
    now = {path.name: path.read_bytes() for path in (cut.folder / "run").glob("*.js*")}
    assert {name for name in whole if now[name] != whole[name]} <= {"manifest.json"}


def test_it_is_replayed_as_it_was(cut):
    done = cut("rerun", "run", "--verify")
    assert done.code == 0, done.out + done.err


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A judge that has no room for what is answered to dish 1."""
    folder = tmp_path_factory.mktemp("narrow")
    talks(folder, turns=1)

    def wordy(request):
        if not judging(request) and "dish 1" in str(request["messages"]):
            return f"WORDY {request['model']} simmers slowly with onions and thyme until everything is tender."
        return answers(request)

    with Loopback(policy=wordy, faults=[Fault(kind="too_long", containing="\\nWORDY ")]) as server:
        made = Kitchen(folder, server)
        made.done = made.run("run")
        yield made


def test_a_comparison_that_does_not_fit_its_judge_is_a_state_of_its_own(narrow):
    assert narrow.done.code == 0, narrow.done.err
    found = narrow.read("run", "summary.json")
    assert (found["complete"], found["judges"]["openai/judge"]["n"]) == (True, 5)
    assert found["too_long"] == {"openai/judge": {"too_long": 2}}
    lost = [row for row in lines(narrow.folder / "run/judgments.jsonl") if row["status"] != "ok"]
    assert {(row["id"], row["status"]) for row in lost} == {("p01", "truncated")}
    assert all(row["too_long"] == {"tokens": 4160, "room": 4096} for row in lost)
    said = flat(narrow.done.out)
    assert "openai/judge: 2 of 12 verdicts are unusable (2 too long for the judge); 1 prompt is unscored" in said
    assert "2 of 12 questions did not fit what it reads: p01 (4,160 tokens, room for 4,096); shorten" in said


def test_it_is_not_asked_again_and_is_replayed_as_it_was(narrow):
    before = len(narrow.server.requests)
    whole = (narrow.folder / "run/summary.json").read_bytes()
    assert narrow("resume", "run").code == 0
    assert (narrow.folder / "run/summary.json").read_bytes() == whole
    done = narrow("rerun", "run", "--verify")
    assert done.code == 0, done.out + done.err
    assert len(narrow.server.requests) == before

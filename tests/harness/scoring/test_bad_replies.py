"""What judges and contestants say that is no grade or no answer: each a named state, counted, and nothing lost."""

from __future__ import annotations

import pytest

from tests.harness.scoring.made import Kitchen, flat, grading, number, policy, suite
from tests.loopback import Fault, Loopback
from tests.published import lines, write_lines

# What is written where no schema is honoured.
PLAIN = Fault(kind="rejects", parameter="structured")
REPLIES = {
    "p00": "I'd say 7 or 8.",
    "p01": "Rating: 11/10",
    "p02": "Rating: seven",
    "p03": "Rating: 7/10",
    "p04": "Some words first.\n\nRating: 3",
    "p05": "[[9]]",
    "p06": "Rating: 0",
    "p07": '{"reasoning": "Good [[2]] soup.", "rating": 6}',
}
GRADES = {"p03": 7.0, "p04": 3.0, "p05": 9.0, "p07": 6.0}


def by_dish(request, text):
    return REPLIES[f"p{int(text.split('How is dish ')[1].split()[0]):02d}"]


@pytest.fixture(scope="module")
def worded(tmp_path_factory):
    """A run whose judge answers in words alone, eight ways."""
    folder = tmp_path_factory.mktemp("worded")
    suite(folder)
    with Loopback(policy=policy(by_dish), faults=[PLAIN]) as server:
        made = Kitchen(folder, server)
        made.done = made.run("run", "--candidate", "openai/new")
        yield made


def test_what_names_no_rating_is_invalid_and_what_does_is_read(worded):
    assert worded.done.code == 0
    rows = lines(worded.folder / "run/scores.jsonl")
    assert len(rows) == 16
    for row in rows:
        expected = (GRADES.get(row["id"]), "ok" if row["id"] in GRADES else "invalid_parse")
        assert (row["score"], row["status"]) == expected, row["id"]
        assert row["reply"] == REPLIES[row["id"]]


def test_what_names_no_rating_was_asked_for_once_more(worded):
    for row in lines(worded.folder / "run/scores.jsonl"):
        assert row["asked"]["attempts"] == (1 if row["id"] in GRADES else 2)
    asked_again = [body for body in worded.server.bodies if "where N is your rating" in str(body["messages"])]
    reminded = [body for body in worded.server.bodies if "must be a whole number from 1 to 10" in str(body["messages"])]
    assert len(asked_again) + len(reminded) >= 8


def test_what_gave_no_score_is_counted_and_said(worded):
    found = worded.read("run", "summary.json")["judges"]["openai/judge"]
    assert (found["n"], found["unscored"]) == (4, 4)
    assert found["statuses"] == {"invalid_parse": 8, "ok": 8}
    assert found["mean"] == pytest.approx((7 + 3 + 9 + 6) / 4)
    assert "openai/judge: 4 prompts of the candidate unscored (8 invalid parse)" in flat(worded.done.out)


def test_a_resumed_run_does_not_ask_about_them_again(worded):
    before = worded.asked
    assert worded("resume", "run").code == 0
    assert worded.asked == before


def test_an_endless_reply_is_cut_and_counted_as_truncated(tmp_path):
    suite(tmp_path, 4)
    faults = [Fault(kind="cut_off", containing="EARLIER ANSWER")]
    with Loopback(policy=policy(), faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new")
    rows = lines(tmp_path / "run/scores.jsonl")
    assert {(row["turn"], row["status"]) for row in rows} == {(1, "ok"), (2, "truncated")}
    # Asked once more with four times the room.
    assert {body["max_tokens"] for body in server.bodies if "EARLIER ANSWER" in str(body)} == {1024, 4096}
    own = made.read("run", "summary.json")["judges"]["openai/judge"]
    assert (done.code, own["n"], own["unscored"], list(own["turns"])) == (3, 0, 4, ["1"])
    assert "4 prompts of the candidate unscored (4 truncated)" in flat(done.out)


def test_an_endless_answer_is_cut_graded_and_counted(tmp_path):
    suite(tmp_path, 4)
    with Loopback(policy=policy(), faults=[Fault(kind="cut_off", containing='"How is dish 2 made?"')]) as server:
        # The judge's questions hold it too, but not as a text of its own.
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new")
    assert done.code == 0
    found = {row["id"]: row["finish"] for row in lines(tmp_path / "run/responses.jsonl")}
    assert found == {"p00": "stop", "p01": "stop", "p02": "length", "p03": "stop"}
    assert made.read("run", "summary.json")["judges"]["openai/judge"]["n"] == 4
    assert "candidate: 1 of 4 conversations were cut off at max_tokens and graded as they are" in flat(done.out)


def test_an_empty_answer_is_graded_as_it_stands_and_counted(tmp_path):
    path = suite(tmp_path, 4)
    rows = [{"id": f"p{place:02d}", "responses": ["Bake it.", "" if place == 1 else "Salad."]} for place in range(4)]
    write_lines(tmp_path / "old.jsonl", rows)
    empty = "<<<ANSWER TO GRADE>>>\n\n<<<END"
    with Loopback(policy=policy(lambda _, text: {"rating": 1 if empty in text else 8})) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", f"recorded/{tmp_path}/old.jsonl", suite=path)
    assert done.code == 0
    low = [(row["id"], row["turn"]) for row in lines(tmp_path / "run/scores.jsonl") if row["score"] == 1.0]
    assert low == [("p01", 2)]
    assert "candidate: 1 of 8 answers are empty and graded as they are" in flat(done.out)


def test_what_was_thought_is_taken_out_before_it_is_graded(tmp_path):
    suite(tmp_path, 2)

    def answer(request):
        return {"rating": 5} if grading(request) else f"<think>hm, {number(request, 99)}</think>Boil it."

    with Loopback(policy=answer) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new")
    assert not any("<think>" in str(body) for body in server.bodies if grading(body))
    assert "thinking was taken out of 4 of 4 answers before they were graded" in flat(done.out)


def test_a_grading_that_fails_among_several_of_one_answer_is_counted_too(tmp_path):
    suite(tmp_path, 2, more="judge_repeats: 2\n")
    seen = set()

    def rate(request, text):
        first = text not in seen
        seen.add(text)
        return {"rating": 5} if "dish 0" not in text or (first and "End your reply" not in text) else "Rating: 12"

    with Loopback(policy=policy(rate), faults=[PLAIN]) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new", "--concurrency", "1")
    said = "openai/judge: 2 of 8 gradings of the candidate gave no score (2 invalid parse); other askings about"
    assert said in flat(done.out)


def test_a_mix_of_judges_keeps_its_scales_apart(tmp_path):
    suite(tmp_path, 6, judges="[openai/judge, anthropic/claude-x, rubric]")
    with Loopback(policy=policy()) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--baseline", "openai/old")
    found = made.read("run", "summary.json")
    assert done.code == 0
    rows = [row for row in lines(tmp_path / "run/scores.jsonl") if row["judge"] == "rubric"]
    said = [row for row in lines(tmp_path / "run/responses.jsonl") if row["role"] == "candidate"]
    texts = {row["id"]: row["responses"][-1] for row in said}
    # The last turn alone, passed or not.
    assert {(row["id"], row["turn"], row["score"]) for row in rows} == {
        (name, 2, float(len(text.split()) >= 12)) for name, text in texts.items()
    }
    assert {name: own["scale"] for name, own in found["judges"].items()} == {
        "openai/judge": [1, 10], "anthropic/claude-x": [1, 10], "rubric": [0, 1],
    }  # fmt: skip
    assert list(found["judges"]["rubric"]["turns"]) == ["2"]
    assert found["judges"]["rubric"]["unscored"] == 0
    assert found["categories"] == {}
    assert found["judges"]["rubric"]["categories"].keys() == {"even", "odd"}
    assert "the judges grade on different scales" in flat(done.out)


def test_prompts_without_checks_are_unscored_by_the_rubric_and_counted(tmp_path):
    path = suite(tmp_path, 4, judges="[rubric]")
    rows = lines(tmp_path / "prompts.jsonl")
    write_lines(tmp_path / "prompts.jsonl", [{k: v for k, v in rows[0].items() if k != "checks"}, *rows[1:]])
    with Loopback(policy=policy()) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new", "--json", suite=path)
    own = done.json["judges"]["rubric"]
    assert (done.code, own["n"], own["unscored"], own["statuses"]) == (0, 3, 1, {"ok": 3, "refused": 1})
    none = suite(tmp_path / "none", 2, judges="[rubric]", checks=None)
    write_lines(tmp_path / "none/prompts.jsonl", [{"id": "a", "prompt": "What?"}])
    with Loopback(policy=policy()) as server:
        done = Kitchen(tmp_path, server).run("other", "--candidate", "openai/new", suite=none)
    assert (done.code, server.bodies) == (2, [])
    assert "the rubric judge needs prompts with 'checks'; 'dishes' has none" in done.err


TEMPLATE = "=== system ===\nGrade.\n=== user ===\n{{ reference[-1] }} {{ answers[-1] }} Reply [[N]].\n"


def test_a_reference_that_the_template_needs_and_a_prompt_lacks_is_named_before_anything_is_asked(tmp_path):
    suite(tmp_path, 4, more="judge_template: mine.md\n")
    (tmp_path / "mine.md").write_text(TEMPLATE)
    with Loopback(policy=policy()) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new")
    assert (done.code, server.bodies) == (2, [])
    assert "names a field that prompt 'p00' lacks" in done.err
    assert "no reference" in done.err


@pytest.mark.parametrize("reference", [["Bake it.", "Salad."]])
def test_a_template_may_need_references_where_every_turn_has_one(tmp_path, reference):
    suite(tmp_path, 2, more="judge_template: mine.md\n", reference=reference)
    (tmp_path / "mine.md").write_text(TEMPLATE)
    with Loopback(policy=lambda request: "[[4]]") as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new", "--json")
    assert (done.code, done.json["judges"]["openai/judge"]["mean"]) == (0, 4.0)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ({"turns": []}, "prompts.jsonl:1: 'turns' is empty; give at least one turn"),
        ({"turns": ["x", " "]}, "prompts.jsonl:1: the prompt is empty; write its text"),
        ({"turns": None}, "prompts.jsonl:1: give either 'prompt' or 'turns'"),
        ({"reference": ["a", "b", "c"]}, "prompts.jsonl:1: 'reference' has 3 texts for 2 turns; give one each"),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_named_with_its_line(tmp_path, prompt, says):
    path = suite(tmp_path, 2, judges="[rubric]", **prompt)
    with Loopback(policy=policy()) as server:
        made = Kitchen(tmp_path, server)
        for done in (made.run("run", "--candidate", "openai/new", suite=path), made("validate", path)):
            assert done.code == 2
            assert says in done.err + done.out
    assert server.bodies == []


def test_a_score_suite_has_its_own_keys(tmp_path):
    path = suite(tmp_path, 2, more="orders: both\nequivalence: 0.1\njudge_repeat: 3\n")
    with Loopback() as server:
        said = Kitchen(tmp_path, server)("validate", path)
    assert said.code == 2
    text = said.out + said.err
    for line, key in ((6, "orders"), (7, "equivalence"), (8, "judge_repeat")):
        assert f"suite.yaml:{line}: " in text
        assert key in text
    path = suite(tmp_path, 2, more="judge_repeats: 0\n")
    with Loopback() as server:
        said = Kitchen(tmp_path, server)("validate", path)
    assert (said.code, "judge_repeats" in said.out + said.err) == (2, True)


def test_an_api_s_digits_are_weighed_by_their_probabilities(tmp_path):
    suite(tmp_path, 2, more="judge_mode: verdict-token\n")
    tokens = [("[[", {"[[": 1.0}), ("7", {"7": 0.6, "9": 0.3, "x": 0.1}), ("]]", {"]]": 1.0})]
    with Loopback(policy=policy(lambda request, text: {"tokens": tokens})) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new", "--json")
    rows = lines(tmp_path / "run/scores.jsonl")
    # (0.6 · 7 + 0.3 · 9) / 0.9 on 0-9, which is one more on 1-10.
    assert {(row["mode"], round(row["score"], 6)) for row in rows} == {("verdict-token", round(1 + 6.9 / 0.9, 6))}
    assert (done.code, done.json["judges"]["openai/judge"]["n"]) == (0, 2)

"""Documents: texts and conversations in every form they come in, and every problem with its line."""

import json

import pytest

from harness.perplexity.documents import document_of, read


def written(tmp_path, *lines):
    path = tmp_path / "d.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def only(tmp_path, line, loss_on=None):
    found, problems = read(written(tmp_path, line), loss_on)
    assert problems == []
    return document_of(found[0], loss_on)


def said(document):
    return [(message.role, message.content) for message in document.messages]


CHAT = [("user", "a"), ("assistant", "b")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"prompt": "a", "response": "b"}, CHAT),
        ({"turns": ["a", "c"], "responses": ["b", "d"]}, [*CHAT, ("user", "c"), ("assistant", "d")]),
        ({"prompt": "a", "reference": "b"}, CHAT),
        ({"turns": ["a", "c"], "reference": ["b", "d"]}, [*CHAT, ("user", "c"), ("assistant", "d")]),
        ({"prompt": "a", "response": "b", "reference": "another"}, CHAT),
        ({"prompt": "a", "response": "b", "system": "s"}, [("system", "s"), *CHAT]),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, CHAT),
    ],
)
def test_conversations_in_all_their_forms(tmp_path, line, expected):
    document = only(tmp_path, {"id": "x", **line})
    assert said(document) == expected
    assert (document.chat, document.loss_on) == (True, "response")


def test_of_a_text_all_counts(tmp_path):
    document = only(tmp_path, {"id": "x", "text": "a b"})
    assert (document.chat, document.loss_on, document.text) == (False, "all", "a b")


def test_all_of_a_conversation_where_that_is_asked(tmp_path):
    assert only(tmp_path, {"id": "x", "prompt": "a"}, "all").loss_on == "all"


def test_a_document_without_an_id_is_named_by_its_line(tmp_path):
    found, problems = read(written(tmp_path, {"text": "a"}, {"text": "b"}))
    assert (problems, [prompt.id for prompt in found]) == ([], ["line 1", "line 2"])


def test_what_was_asked_is_what_training_data_are_searched_for(tmp_path):
    found, _ = read(written(tmp_path, {"id": 1, "turns": ["a", "c"], "responses": ["b", "d"]}, {"id": 2, "text": "t"}))
    assert [prompt.turns for prompt in found] == [("a", "c"), ("t",)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({"text": " "}, "the text is empty"),
        ({"prompt": "a", "response": ""}, "a message of role 'assistant' is empty"),
        ({"prompt": "a"}, "has no response to measure; add 'response' (or 'reference'), or set loss_on: all"),
        ({"turns": ["a", "b"], "responses": ["c"]}, "has 1 responses for 2 turns"),
        ({"turns": []}, "'turns' is empty"),
        ({"text": "a", "prompt": "b"}, "found 'text' and 'prompt'"),
        ({"category": "c"}, "give one of 'text', 'prompt', 'turns', 'messages', found none of them"),
        ({"text": "a", "response": "b"}, "'text' is measured as it is and has no 'response'"),
        ({"messages": [{"role": "assistant", "content": "b"}]}, "'messages' must begin with what is asked"),
        ({"messages": [{"role": "tool", "content": "b"}]}, "messages.0.role"),
        ("{", "is not JSON"),
    ],
)
def test_every_problem_has_its_line(tmp_path, line, what):
    named = {"id": "y", **line} if isinstance(line, dict) else line
    problems = read(written(tmp_path, {"id": "x", "text": "fine"}, named))[1]
    assert len(problems) == 1, problems
    assert problems[0].line == 2
    assert what in problems[0].what


def test_a_text_has_no_response(tmp_path):
    problems = read(written(tmp_path, {"id": "x", "text": "t"}), "response")[1]
    assert [(p.line, p.what) for p in problems] == [
        (1, "is plain text and has no response; set loss_on: all, or give 'prompt' and 'response'")
    ]


def test_an_id_stands_once(tmp_path):
    problems = read(written(tmp_path, {"id": "x", "text": "t"}, {"id": "x", "text": "u"}))[1]
    assert "stands already on line 1" in problems[0].what


def test_an_empty_file_is_said(tmp_path):
    assert "holds no documents" in str(read(written(tmp_path))[1][0])

"""Examples are read from JSONL, from datasets or made; whatever is no example is named with its line, all at once."""

import hashlib
import random

import pytest

from harness.errors import InputError
from judges.types import Message
from tests.published import write_lines
from train.examples import Example, Wanted, read
from train.keys import SourceKeys

ASKED = {"prompt": "a soup?", "response": "with leeks"}
PAIR = {"prompt": "a soup?", "chosen": "with leeks", "rejected": "no"}


def source(tmp_path, *rows, **keys):
    write_lines(tmp_path / "d.jsonl", rows)
    return SourceKeys.model_validate({"files": ["d.jsonl"], **keys})


def examples(tmp_path, *rows, pairs=False, stratify=None, **keys):
    wanted = Wanted(pairs=pairs, stratify=stratify, source="soups")
    return read(source(tmp_path, *rows, **keys), tmp_path, wanted, random.Random(0))[0]


def problems(tmp_path, *rows, **more):
    """What is wrong with rows, without the folder that they are in."""
    with pytest.raises(InputError) as caught:
        examples(tmp_path, *rows, **more)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


@pytest.mark.parametrize(
    ("row", "prompt", "answer"),
    [
        (ASKED, (Message(role="user", content="a soup?"),), "with leeks"),
        (
            turns(("system", "Cook."), ("user", "Hi"), ("assistant", "Yes")),
            (Message(role="system", content="Cook."), Message(role="user", content="Hi")),
            "Yes",
        ),
        ({"text": "bread is brown"}, (), "bread is brown"),
        ({**ASKED, "more": [1, {"a": None}]}, (Message(role="user", content="a soup?"),), "with leeks"),
    ],
)
def test_every_shape_of_an_example_is_read(tmp_path, row, prompt, answer):
    assert examples(tmp_path, row) == [
        Example(prompt=prompt, answer=answer, source="soups", file="d.jsonl", line=1),
    ]


@pytest.mark.parametrize(
    "row",
    [
        PAIR,
        {**PAIR, "prompt": [{"role": "user", "content": "a soup?"}]},
        {**PAIR, "chosen": [{"role": "assistant", "content": "with leeks"}]},
    ],
)
def test_every_shape_of_a_pair_is_read(tmp_path, row):
    (found,) = examples(tmp_path, row, pairs=True)
    assert (found.prompt, found.answer, found.rejected) == (
        (Message(role="user", content="a soup?"),),
        "with leeks",
        "no",
    )


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({}, "is no example: it needs 'prompt' and 'response', or 'messages', or 'text', none of them empty"),
        ({"prompt": "a", "response": " "}, "is no example: it needs 'prompt' and 'response'"),
        ({"prompt": "a", "answer": "b"}, "found 'prompt', 'answer'"),
        ({"text": 3}, "is no example"),
        ({"messages": []}, "is no example"),
        (PAIR, "is a preference pair"),
        (turns(("user", "Hi")), "'messages' must end with the assistant's, found 'user'"),
        (turns(("assistant", "Yes")), "'messages' hold an answer to nothing"),
        (turns(("user", "Hi"), ("cook", "Yes")), "each needs a role of system, user, assistant and a content"),
        (turns(("user", ""), ("assistant", "Yes")), "each needs a role of system, user, assistant and a content"),
        ({"messages": ["Hi", "Yes"]}, "each needs a role of system, user, assistant and a content"),
    ],
)
def test_what_is_no_example_is_named(tmp_path, row, what):
    (found,) = problems(tmp_path, row)
    assert found.startswith("d.jsonl:1: ")
    assert what in found


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (ASKED, "is no preference pair: it needs 'prompt', 'chosen' and 'rejected'; found 'prompt', 'response'"),
        ({**PAIR, "rejected": PAIR["chosen"]}, "'chosen' and 'rejected' are the same text"),
        ({**PAIR, "rejected": ""}, "'rejected': give the assistant's text, found ''"),
        ({**PAIR, "prompt": " "}, "'prompt': give a text or a list of messages, found ' '"),
        ({**PAIR, "prompt": turns(("assistant", "x"))["messages"]}, "'prompt' must not end with the assistant's"),
    ],
)
def test_what_is_no_pair_is_named(tmp_path, row, what):
    (found,) = problems(tmp_path, row, pairs=True)
    assert what in found


def test_every_wrong_line_is_named_at_once(tmp_path):
    good = '{"prompt": "a", "response": "b"}\n'
    (tmp_path / "d.jsonl").write_text(good + "{oops\n\n" + good + '"text"\n{"prompt": "a"}\n')
    with pytest.raises(InputError) as caught:
        read(SourceKeys(files=["d.jsonl"]), tmp_path, Wanted(pairs=False), random.Random(0))
    found = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.split(" ")[0] for line in found] == ["d.jsonl:2:", "d.jsonl:5:", "d.jsonl:6:"]


def test_an_empty_file_is_named(tmp_path):
    assert problems(tmp_path) == ["d.jsonl: holds no example; it needs at least one, one a line"]


def test_a_file_is_told_by_its_name_hash_and_count(tmp_path):
    _, (origin,) = read(source(tmp_path, ASKED), tmp_path, Wanted(pairs=False), random.Random(0))
    sha256 = hashlib.sha256((tmp_path / "d.jsonl").read_bytes()).hexdigest()
    assert (origin.name, origin.sha256, origin.examples) == ("d.jsonl", sha256, 1)


def test_where_keeps_the_rows_that_have_its_values(tmp_path):
    rows = [{**ASKED, "lang": lang, "score": score} for lang, score in (("en", 1), ("fr", 0.5), ("en", 0.5))]
    assert [row.line for row in examples(tmp_path, *rows, where={"lang": "en"})] == [1, 3]
    assert [row.line for row in examples(tmp_path, *rows, where={"lang": "en", "score": 0.5})] == [3]
    assert problems(tmp_path, *rows, where={"lang": "de"}) == [
        "d.jsonl: holds no example that 'where' lets through; it needs at least one, one a line"
    ]
    (found,) = problems(tmp_path, *rows, where={"language": "en"})[:1]
    assert found.startswith("d.jsonl:1: has no field 'language', which 'where' asks for")


def test_columns_say_which_field_is_which(tmp_path):
    row = {"instruction": "a soup?", "output": "with leeks", "text": "a soup? with leeks"}
    (found,) = examples(tmp_path, row, columns={"prompt": "instruction", "response": "output"})
    assert (found.prompt[0].content, found.answer) == ("a soup?", "with leeks")
    (found,) = examples(tmp_path, {**row, **turns(("user", "x"), ("assistant", "y"))}, columns={"text": "output"})
    assert (found.prompt, found.answer) == ((), "with leeks")
    (found,) = problems(tmp_path, row, columns={"prompt": "question", "response": "output"})
    assert found.startswith("d.jsonl:1: has no field 'question', which 'columns' asks for")


def test_a_stratum_is_what_the_field_holds(tmp_path):
    rows = [{**ASKED, "kind": kind} for kind in ("soup", 3, None)]
    assert [row.stratum for row in examples(tmp_path, *rows, stratify="kind")] == ["soup", "3", "None"]
    (found,) = problems(tmp_path, ASKED, stratify="kind")
    assert found.startswith("d.jsonl:1: has no field 'kind', which 'stratify' asks for")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_folder_is_a_dataset(tmp_path, own_cache, form):
    datasets = pytest.importorskip("datasets")
    rows = [{"question": f"{n}?", "answer": f"{n}!", "lang": "en" if n % 2 else "fr"} for n in range(6)]
    (tmp_path / "chats").mkdir()
    data = datasets.Dataset.from_list(rows)
    (data.to_json if form == "jsonl" else data.to_parquet)(tmp_path / "chats" / f"train.{form}")
    keys = SourceKeys(dataset="chats", where={"lang": "en"}, columns={"prompt": "question", "response": "answer"})
    found, (origin,) = read(keys, tmp_path, Wanted(pairs=False), random.Random(0))
    assert [(row.prompt[0].content, row.answer, row.line) for row in found] == [
        ("1?", "1!", 2),
        ("3?", "3!", 4),
        ("5?", "5!", 6),
    ]
    assert (origin.name, len(origin.sha256), origin.examples) == ("chats", 64, 3)
    (tmp_path / "chats").rename(tmp_path / "moved")
    moved = SourceKeys(**{**keys.model_dump(), "dataset": "moved"})
    assert read(moved, tmp_path, Wanted(pairs=False), random.Random(0))[1][0].sha256 == origin.sha256


def test_a_dataset_of_messages_is_read(tmp_path, own_cache):
    datasets = pytest.importorskip("datasets")
    (tmp_path / "chats").mkdir()
    datasets.Dataset.from_list([turns(("user", "Hi"), ("assistant", "Yes"))]).to_parquet(tmp_path / "chats/t.parquet")
    (found,), _ = read(SourceKeys(dataset="chats"), tmp_path, Wanted(pairs=False), random.Random(0))
    assert (found.user_turns, found.answer) == (("Hi",), "Yes")


@pytest.mark.parametrize("more", [{"dataset": "nobody/nothing"}, {"dataset": "chats", "split": "third"}])
def test_a_dataset_that_cannot_be_loaded_is_one_sentence(tmp_path, own_cache, more):
    pytest.importorskip("datasets")
    (tmp_path / "chats").mkdir()
    write_lines(tmp_path / "chats" / "d.jsonl", [ASKED])
    with pytest.raises(InputError) as caught:
        read(SourceKeys(**more), tmp_path, Wanted(pairs=False), random.Random(0))
    text = str(caught.value)
    assert "\n" not in text
    assert (
        f"the dataset {more['dataset']!r} (config None, split {more.get('split', 'train')!r}) cannot be loaded" in text
    )


@pytest.mark.parametrize(
    ("generator", "pairs"),
    [("kitchen_corpus", False), ("kitchen_requests", False), ("kitchen_preferences", True)],
)
def test_made_examples_are_the_same_for_the_same_seed(tmp_path, generator, pairs):
    keys = SourceKeys(generator=generator, examples=40)
    made = [read(keys, tmp_path, Wanted(pairs=pairs), random.Random(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert len(made[0][0]) == 40
    assert made[0][1] == []
    assert [row.line for row in made[0][0]] == list(range(1, 41))
    with pytest.raises(InputError, match=f"the generator {generator!r} makes no "):
        read(keys, tmp_path, Wanted(pairs=not pairs), random.Random(1))

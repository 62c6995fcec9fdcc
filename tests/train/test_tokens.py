"""Tokens and labels are what trl itself makes of prompts and completions; what is cut or lost is counted."""

import pytest

pytest.importorskip("torch")

from harness.errors import InputError
from judges.types import Message
from tests import tiny
from tests.train.small import answers
from train import tokenizer as bpe
from train.examples import Example
from train.tokens import IGNORED, encode, pair_lengths

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Thinking is taken out of everything but the last answer, as Qwen3's template does it.
FORGETFUL = (
    "{% for m in messages %}{{ '<' + m['role'] + '>' }}"
    "{% if m['role'] == 'assistant' and not loop.last %}{{ m['content'].split('</think>')[-1] }}"
    "{% else %}{{ m['content'] }}{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer(base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


@pytest.fixture(params=["chatml", "kitchen", "qwen", "gemma"])
def templated(request, tokenizer, monkeypatch):
    """A tokenizer with one template of several."""
    found = {"chatml": CHATML, "kitchen": bpe.CHAT_TEMPLATE}
    monkeypatch.setattr(tokenizer, "chat_template", found.get(request.param) or tiny.TEMPLATES[request.param])
    return tokenizer


def chat(*turns):
    """An example of turns that alternate, the last of them the answer."""
    roles = ("user", "assistant")
    said = [Message(role=roles[place % 2], content=text) for place, text in enumerate(turns)]
    return Example(prompt=tuple(said[:-1]), answer=said[-1].content, file="f.jsonl", line=7)


def plain(text):
    return Example(prompt=(), answer=text)


def of_trl(base, tokenizer, rows, folder, **more):
    """The token ids and labels that trl's own trainer prepares."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        args=SFTConfig(output_dir=str(folder), report_to="none", use_cpu=True, bf16=False, **more),
    )
    return [(row["input_ids"], row["labels"]) for row in trainer.train_dataset]


def labelled(tokenizer, example, longest=512):
    """What the loss counts of an example, as text."""
    (row,) = encode(tokenizer, [example], longest).rows
    return tokenizer.decode([label for label in row.labels if label != IGNORED])


@pytest.mark.parametrize("longest", [512, 24])
def test_answers_become_what_trl_makes_of_them(base, templated, tmp_path, longest):
    rows = answers(12)
    found = encode(templated, [chat(row["prompt"], row["response"]) for row in rows], longest)
    turns = [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["response"]}],
        }
        for row in rows
    ]
    theirs = of_trl(base, templated, turns, tmp_path, max_length=longest)
    assert [(row.ids, row.labels) for row in found.rows] == theirs
    assert len(theirs) + found.dropped == 12
    assert (found.truncated, found.dropped) == (0, 0) if longest == 512 else found.truncated > 0


@pytest.mark.parametrize("marks", [False, True])
def test_plain_text_becomes_what_trl_makes_of_it(base, tokenizer, tmp_path, marks):
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    given = AutoTokenizer.from_pretrained(base)
    if marks:
        first = given.convert_tokens_to_ids("<|system|>")
        given.backend_tokenizer.post_processor = TemplateProcessing(
            single="<|system|> $A", special_tokens=[("<|system|>", first)]
        )
    texts = ["a soup with leeks", "count from one to nine<|end|>", "bread"]
    found = encode(given, [plain(text) for text in texts], 512).rows
    assert [(row.ids, row.labels) for row in found] == of_trl(base, given, [{"text": t} for t in texts], tmp_path)
    assert (found[0].ids[0] == given.convert_tokens_to_ids("<|system|>")) is marks


def test_every_answer_of_a_conversation_counts_and_nothing_else(tokenizer):
    made = chat("How many jars?", "Two jars.", "And lids?", "Five.", "Sure?", "Yes.")
    assert labelled(tokenizer, made) == "Two jars.<|end|>Five.<|end|>Yes.<|end|>"


def test_a_system_message_does_not_count(tokenizer):
    made = Example(prompt=(Message(role="system", content="Cook."), Message(role="user", content="Hi")), answer="Yes")
    assert labelled(tokenizer, made) == "Yes<|end|>"


def test_where_the_template_rewrites_what_was_said_the_last_answer_alone_counts(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", FORGETFUL)
    made = chat("Hi", "<think>hm</think>Yes.", "Sure?", "<think>oh</think>No.")
    assert labelled(tokenizer, made) == "<think>oh</think>No.<|end|>"
    assert labelled(tokenizer, chat("Hi", "Yes.", "Sure?", "No.")) == "Yes.<|end|>No.<|end|>"


def test_what_is_cut_is_counted_and_what_lost_its_answer_is_dropped(tokenizer):
    short, long = chat("Hi", "Yes"), chat("Hi", "yes " * 50)
    unasked = chat("why " * 50, "Yes")
    found = encode(tokenizer, [short, long, unasked], 40)
    assert (len(found.rows), found.truncated, found.dropped) == (2, 2, 1)
    assert [len(row.ids) for row in found.rows] == [len(encode(tokenizer, [short], 512).rows[0].ids), 40]
    assert all(row.answered for row in found.rows)


def test_rows_know_their_source_and_how_much_they_teach(tokenizer):
    (row,) = encode(tokenizer, [Example(prompt=chat("Hi", "Yes").prompt, answer="Yes", source="chores")], 512).rows
    assert row.source == "chores"
    assert row.answered == len(tokenizer("Yes<|end|>")["input_ids"])


def test_a_text_of_one_token_teaches_nothing(tokenizer):
    assert encode(tokenizer, [plain("<|end|>")], 512).dropped == 1


def test_a_base_without_a_chat_template_is_refused(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", None)
    with pytest.raises(InputError, match="has no chat template; name a base that was made for chats"):
        encode(tokenizer, [chat("Hi", "Yes")], 512)
    assert len(encode(tokenizer, [plain("bread")], 512).rows) == 1


def test_an_example_that_the_template_refuses_is_named(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", tiny.TEMPLATES["gemma"])
    made = Example(prompt=(Message(role="system", content="Cook."),), answer="Yes", file="f.jsonl", line=7)
    with pytest.raises(InputError, match=r"^f\.jsonl:7: the base's chat template refuses it: no system; change"):
        encode(tokenizer, [made], 512)


def test_a_pair_is_as_long_as_its_prompt_with_the_longer_answer(tokenizer):
    asked = chat("Hi", "").prompt
    two = (("yes " * 9, "no"), ("y", "n " * 5))
    made = [Example(prompt=asked, answer=chosen, rejected=rejected) for chosen, rejected in two]
    prompt = len(tokenizer("<|user|>Hi<|end|><|assistant|>")["input_ids"])
    longer = [len(encode(tokenizer, [chat("Hi", text)], 512).rows[0].ids) for text in ("yes " * 9, "n " * 5)]
    assert pair_lengths(tokenizer, made) == [(prompt, length) for length in longer]


def test_nothing_becomes_nothing(tokenizer):
    found = encode(tokenizer, [], 8)
    assert (found.rows, found.truncated, found.dropped) == ((), 0, 0)
    assert pair_lengths(tokenizer, []) == []


def test_a_template_that_rewrites_what_was_asked_is_refused(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", "{{ messages | length }} said: " + bpe.CHAT_TEMPLATE)
    with pytest.raises(InputError, match="rewrites what was asked once it is answered"):
        encode(tokenizer, [chat("what is bread", "it is brown")], 64)

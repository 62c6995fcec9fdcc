"""Which tokens count: the answers of a conversation with the marks of their ends, as training counts them."""

import pytest

pytest.importorskip("torch")

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from harness.errors import InputError
from harness.perplexity.documents import Document
from harness.perplexity.encoding import encode
from judges.types import Message
from tests.tiny import TEMPLATE, TEMPLATES, byte_pairs
from train.examples import Example
from train.tokens import encode as as_trained

MARKS = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>", "<|begin|>", "<|turn|>", "<|turn_end|>"]


def tokenizer(template=TEMPLATE, marks=(*MARKS, "<|head|>", "<|/head|>"), **more):
    made = PreTrainedTokenizerFast(tokenizer_object=byte_pairs(list(marks)), eos_token="<|end|>", **more)
    made.chat_template = template
    return made


def chat(*said, loss_on="response"):
    roles = ("user", "assistant") * len(said)
    messages = [Message(role=role, content=text) for role, text in zip(roles, said, strict=False)]
    return Document(id="d", text="", messages=tuple(messages), loss_on=loss_on)


def plain(text):
    return Document(id="d", text=text, messages=(), loss_on="all")


def counted(made, document):
    found = encode(made, document, "hf/x")
    return made.decode([found.ids[place] for place in found.counted])


def test_the_answer_and_its_end_count_and_nothing_else():
    made = tokenizer()
    assert counted(made, chat("a soup", "with leeks and rice")) == "with leeks and rice<|end|>"


def test_every_answer_of_a_conversation_counts():
    made = tokenizer()
    assert counted(made, chat("a", "the pan", "b", "is hot", "c")) == "the pan<|end|>is hot<|end|>"


def test_bytes_are_those_of_the_answers_themselves():
    found = encode(tokenizer(), chat("a soup", "naïve – 汤"), "hf/x")
    assert found.bytes == len("naïve – 汤".encode())


def test_all_of_a_conversation():
    made = tokenizer()
    found = encode(made, chat("a soup", "rice", loss_on="all"), "hf/x")
    assert found.counted == list(range(1, len(found.ids)))
    assert found.bytes == len("a souprice")


@pytest.mark.parametrize("name", [None, *TEMPLATES])
@pytest.mark.parametrize(
    "said", [("a soup", "with leeks"), ("a", "  blanks \n around ", "汤?", "汤汤 naïve\n\nbread"), ("x", "!\n\n")]
)
@pytest.mark.parametrize("trim", [False, True])
def test_it_counts_what_training_counts(name, said, trim):
    from tokenizers.processors import ByteLevel

    made = tokenizer(TEMPLATES[name] if name else TEMPLATE)
    made.backend_tokenizer.post_processor = ByteLevel(trim_offsets=trim)
    document = chat(*said)
    example = Example(prompt=document.messages[:-1], answer=document.messages[-1].content)
    [row] = as_trained(made, [example], 10_000).rows
    found = encode(made, document, "hf/x")
    assert found.ids == row.ids
    assert found.counted == [place for place, label in enumerate(row.labels) if label != -100]


def test_the_first_token_of_a_text_never_counts():
    made = tokenizer()
    found = encode(made, plain("the pan is hot"), "hf/x")
    assert found.counted == list(range(1, len(found.ids)))
    assert found.begin_mark is False
    first = made.decode(found.ids[:1])
    assert found.bytes == len("the pan is hot") - len(first)


def test_a_mark_of_the_beginning_follows_the_tokenizer_and_makes_all_text_count(tmp_path):
    from tokenizers.processors import TemplateProcessing

    made = tokenizer(bos_token="<|begin|>")
    mark = made.convert_tokens_to_ids("<|begin|>")
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", mark)]
    )
    made.save_pretrained(tmp_path)
    made = AutoTokenizer.from_pretrained(tmp_path)
    found = encode(made, plain("the pan"), "hf/x")
    assert found.ids[0] == mark
    assert counted(made, plain("the pan")) == "the pan"
    assert (found.begin_mark, found.bytes) == (True, len("the pan"))


def test_one_token_alone_has_nothing_to_count():
    found = encode(tokenizer(), plain("a"), "hf/x")
    assert (len(found.ids), found.counted, found.bytes) == (1, [], 0)


def refusal(made, document):
    with pytest.raises(InputError) as caught:
        encode(made, document, "hf/x")
    return str(caught.value)


def test_a_model_without_a_chat_template_cannot_read_a_conversation():
    assert "has no chat template, which document 'd' needs" in refusal(tokenizer(None), chat("a", "b"))


def test_a_template_that_rewrites_earlier_answers_is_refused():
    forgets = (
        "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}<|assistant|>{% else %}"
        "<|{{ m.role }}|>{{ m.content }}{% endif %}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    assert counted(tokenizer(forgets), chat("a", "rice")) == "rice<|end|>"
    said = refusal(tokenizer(forgets), chat("a", "b", "c", "d"))
    assert "writes answer 1 of document 'd' in another way once more is said" in said
    assert "give every answer as a document of its own" in said


def test_a_template_that_asks_otherwise_than_it_answers_is_refused():
    opens = TEMPLATE.replace("<|assistant|>{% endif", "<|assistant|><|think|>{% endif")
    assert "so its tokens cannot be told apart; set loss_on: all" in refusal(tokenizer(opens), chat("a", "b"))


def test_a_template_that_refuses_a_system_message_names_the_document():
    document = Document(
        id="d",
        text="",
        messages=(Message(role="system", content="s"), *chat("a", "b").messages),
        loss_on="response",
    )
    assert "its chat template refuses document 'd': no system" in refusal(tokenizer(TEMPLATES["gemma"]), document)


def test_other_tokens_have_another_digest():
    made = tokenizer()
    digests = {encode(made, plain(text), "hf/x").targets for text in ("a soup", "a pan", "a soup with rice")}
    assert len(digests) == 3
    assert encode(made, chat("a", "rice"), "hf/x").targets == encode(made, chat("another", "rice"), "hf/x").targets

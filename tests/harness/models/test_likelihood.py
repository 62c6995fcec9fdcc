"""Log-likelihoods of labels: a loop that reads each context and label alone is the measure of every batch."""

import asyncio

import pytest

pytest.importorskip("torch")

from harness.models.likelihood import Ask, LikelihoodModel
from tests.tiny import FAMILIES, checkpoint, family

LABELS = (" rice", " rice and bread", " ri", " count from one to nine")
CONTEXTS = (
    "a soup with leeks",
    "a soup with leeks and the pan is hot",
    "the bread is brown",
    "count",
    "a soup with leeks and the pan is cold ",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return opened(checkpoint(tmp_path_factory.mktemp("likely")))


def opened(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def asked(model, tokenizer, asks):
    async def collected():
        return dict([pair async for pair in LikelihoodModel.of(model, tokenizer).likely(asks)])

    return asyncio.run(collected())


def alone(model, tokenizer, context, label):
    """The sum over the label's tokens, one forward pass over the whole text."""
    import torch

    blank = context[len(context.rstrip()) :]
    before = tokenizer(context.rstrip())["input_ids"]
    whole = tokenizer(context.rstrip() + blank + label)["input_ids"]
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=torch.tensor([whole])).logits[0], dim=-1)
    return sum(float(logs[place - 1, whole[place]]) for place in range(len(before), len(whole)))


def test_every_label_s_log_likelihood_is_that_of_the_loop(tiny):
    found = asked(*tiny, [Ask(context=context, labels=LABELS) for context in CONTEXTS])
    assert sorted(found) == list(range(len(CONTEXTS)))
    for place, context in enumerate(CONTEXTS):
        expected = [alone(*tiny, context, label) for label in LABELS]
        assert found[place].logs == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "llama"])
@pytest.mark.chaos
def test_other_families_are_read_alike(tmp_path, name):
    model, tokenizer = opened(family(tmp_path / name, name))
    found = asked(model, tokenizer, [Ask(context=context, labels=LABELS) for context in CONTEXTS])
    for place, context in enumerate(CONTEXTS):
        expected = [alone(model, tokenizer, context, label) for label in LABELS]
        assert found[place].logs == pytest.approx(expected, abs=1e-4)


def read(model, tokenizer, asks):
    """The tokens that all passes together were given, padding among them."""
    passes = []
    hook = lambda _, given, kinds: passes.append(kinds["input_ids"].numel())  # noqa: E731
    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    asked(model, tokenizer, asks)
    handle.remove()
    return sum(passes)


@pytest.mark.parametrize("begin", ["", "say whether the soup is good or bad: "])
def test_a_context_is_read_once_however_many_labels_follow_it(tiny, begin):
    asks = [Ask(context=f"{begin}{word} " + "a soup with leeks and rice " * 4, labels=LABELS) for word in "abcdefgh"]
    tokens = [len(tiny[1](ask.context)["input_ids"]) for ask in asks]
    longest = max(len(tiny[1](label)["input_ids"]) for label in LABELS)
    assert read(*tiny, asks) <= 1.1 * sum(tokens) + len(asks) * len(LABELS) * (longest + 1) + 40


def test_words_of_one_token_cost_one_row(tiny):
    asks = [Ask(context=f"{word} a soup with leeks", labels=(" rice", " leeks", " bread")) for word in "abcdefgh"]
    tokens = [len(tiny[1](ask.context)["input_ids"]) for ask in asks]
    # A few tokens more, to see whether the model can hand on what it has read.
    assert read(*tiny, asks) <= max(tokens) * len(asks) + 16


def test_labels_that_begin_alike_and_one_that_another_begins_with_keep_their_own_numbers(tiny):
    labels = (" rice", " rice and", " rice and bread", " rice or bread", " r", " bread")
    found = asked(*tiny, [Ask(context=CONTEXTS[0], labels=labels)])[0]
    assert found.logs == pytest.approx([alone(*tiny, CONTEXTS[0], label) for label in labels], abs=1e-5)


def test_a_label_s_length_is_its_number_of_tokens(tiny):
    found = asked(*tiny, [Ask(context="a soup with", labels=LABELS)])[0]
    before = len(tiny[1]("a soup with")["input_ids"])
    assert found.lengths == tuple(len(tiny[1]("a soup with" + label)["input_ids"]) - before for label in LABELS)


def test_blanks_at_the_end_of_a_context_belong_to_the_label(tiny):
    apart = asked(*tiny, [Ask(context="a soup with ", labels=("rice",))])[0]
    together = asked(*tiny, [Ask(context="a soup with", labels=(" rice",))])[0]
    assert apart.logs == pytest.approx(together.logs, abs=1e-6)


def test_a_context_that_does_not_fit_is_named_with_its_tokens_and_the_rest_is_read(tiny):
    long = "leeks and rice " * 200
    found = asked(*tiny, [Ask(context=long, labels=LABELS), Ask(context="a soup", labels=LABELS)])
    assert (found[0].logs, found[0].room) == ((), 256)
    assert found[0].tokens > 256
    assert len(found[1].logs) == len(LABELS)


def test_a_label_alone_follows_the_begin_or_the_end_mark(tiny):
    found = asked(*tiny, [Ask(context="", labels=("rice", "bread"))])[0]
    assert len(found.logs) == 2
    assert all(log < 0 for log in found.logs)


@pytest.fixture(scope="module")
def joining():
    """A model whose tokenizer knows no words: it joins a label with what stands before it, where it has seen both."""
    import tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, initial_alphabet=[chr(at) for at in range(32, 127)])
    made.train_from_iterator([f"{text}\nLabel: hot" for text in ("a stew", "a roast")] * 20, trainer)
    set_seed(4)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=made.get_vocab_size(), **sizes)).eval()
    return model, PreTrainedTokenizerFast(tokenizer_object=made, bos_token=None, eos_token=None)


def whole_text(model, ids):
    """The log-likelihood of a text after its first token."""
    import torch

    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0], dim=-1)
    return sum(float(logs[place - 1, ids[place]]) for place in range(1, len(ids)))


def test_labels_that_a_tokenizer_joins_with_the_context_differ_as_their_whole_texts_do(joining):
    model, tokenizer = joining
    context, labels = "soup\nLabel:", (" hot", " cold", " ho")
    before = tokenizer(context)["input_ids"]
    wholes = [tokenizer(context + label)["input_ids"] for label in labels]
    # The case itself: what the text with a label begins with is not what the context alone is.
    assert any(whole[: len(before)] != before for whole in wholes)
    found = asked(model, tokenizer, [Ask(context=context, labels=labels)])[0]
    expected = [whole_text(model, whole) for whole in wholes]
    assert [log - found.logs[0] for log in found.logs] == pytest.approx(
        [each - expected[0] for each in expected], abs=1e-4
    )


def test_the_separator_that_ends_every_text_of_some_tokenizers_is_no_part_of_a_label():
    import tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

    words = ["[UNK]", "[CLS]", "[SEP]", "the", "soup", "is", "hot", "cold"]
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, "[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    marks = [("[CLS]", 1), ("[SEP]", 2)]
    made.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=marks)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, cls_token="[CLS]", sep_token="[SEP]")
    set_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes)).eval()
    found = asked(model, tokenizer, [Ask(context="the soup is", labels=(" hot", " cold"))])[0]
    assert found.lengths == (1, 1)
    whole = [whole_text(model, [1, 3, 4, 5, last]) - whole_text(model, [1, 3, 4, 5]) for last in (6, 7)]
    assert found.logs == pytest.approx(whole, abs=1e-5)

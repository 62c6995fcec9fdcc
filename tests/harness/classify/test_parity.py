"""Zero-shot classification by likelihood against the plain rule, text by text, and against lm-eval where it is."""

import asyncio

import pytest

pytest.importorskip("torch")

from harness.classify.asking import LikelihoodClassifier, Putting
from harness.classify.template import load
from harness.models.likelihood import LikelihoodModel
from harness.tasks.values import Item
from tests.bench.lmeval import Zeroshot, evaluated, model_of, requests_of, source_of, task_of
from tests.tiny import checkpoint

DISHES = ("the soup", "a long evening", "this second part", "the cook, once more,", "what the trailer shows")
VERDICTS = (
    "is warm and golden",
    "drags on",
    "has no salt",
    "is worth the wait",
    "was cut in two",
    "is",
    "never ends .",
)
TASKS = {"sst2": (("sentence",), ("negative", "positive")), "rte": (("premise", "hypothesis"), None)}


def zeroshot(name, n):
    """Made-up items of a task, the gold label in turns; their texts differ in length."""
    fields, labels = TASKS[name]
    template = load(name)
    labels = labels or ("entailment", "not_entailment")
    items = []
    for place in range(n):
        dish, verdict = DISHES[place % len(DISHES)], VERDICTS[place % len(VERDICTS)]
        texts = (f"{dish} {verdict}" + f", said guest {place}" * (place % 4), f"{verdict} {dish}")[: len(fields)]
        items.append(Item(id=str(place), texts=texts, labels={"label": labels[place % 2]}))
    return Zeroshot(
        name=name,
        items=items,
        putting=Putting(template=template, fields=fields, words=template.words(labels)),
        head="label",
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = checkpoint(tmp_path_factory.mktemp("parity"), seed=2, context=1024)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def guesses(model, zero):
    found = {}
    classifier = LikelihoodClassifier(
        model=LikelihoodModel.of(*model), putting=zero.putting, normalise="none", chat=False
    )
    asyncio.run(classifier.classify(zero.items, lambda item, guess: found.__setitem__(item.id, guess)))
    return [found[item.id] for item in zero.items]


def plainly(model, tokenizer, text, word):
    """The log-probability of every token after the text's own, summed: one pass, no batch, no cache."""
    import torch

    before, whole = (tokenizer(given)["input_ids"] for given in (text, f"{text} {word}"))
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=torch.tensor([whole])).logits[0].double(), dim=-1)
    return sum(float(logs[place - 1, whole[place]]) for place in range(len(before), len(whole)))


@pytest.mark.parametrize("name", TASKS)
def test_every_item_is_read_as_by_the_plain_rule(model, name):
    zero = zeroshot(name, 24)
    found = guesses(model, zero)
    for item, guess in zip(zero.items, found, strict=True):
        text = zero.putting.text(item)
        expected = {label: plainly(*model, text, word) for label, word in zero.putting.words.items()}
        assert guess.details["log_likelihoods"] == pytest.approx(expected, abs=1e-4)
        assert guess.label == max(expected, key=expected.get)
    assert len({round(guess.details["log_likelihoods"][guess.label], 6) for guess in found}) > len(found) / 2


@pytest.mark.bench
@pytest.mark.parametrize("name", TASKS)
def test_every_item_is_read_as_by_lm_eval(model, name):
    pytest.importorskip("lm_eval")
    zero = zeroshot(name, 40)
    accuracy, theirs = evaluated(model_of(*model, batch=8), [zero])[name]
    ours = guesses(model, zero)
    assert [guess.label for guess in ours] == [scored.label for scored in theirs]
    for guess, scored in zip(ours, theirs, strict=True):
        assert guess.details["log_likelihoods"] == pytest.approx(scored.logs, abs=1e-4)
    right = sum(guess.label == item.labels["label"] for item, guess in zip(zero.items, ours, strict=True))
    assert accuracy == pytest.approx(right / len(ours), abs=1e-12)


@pytest.mark.bench
@pytest.mark.parametrize("name", TASKS)
def test_lm_eval_is_asked_with_our_very_texts(name):
    pytest.importorskip("lm_eval")
    zero = zeroshot(name, 6)
    asked = [request.args for request in requests_of(task_of(zero))]
    words = zero.putting.words.values()
    assert asked == [(zero.putting.text(item), f" {word}") for item in zero.items for word in words]
    assert "{{" in source_of(zero)

"""Language models as classifiers: by the log-likelihood of each label's word, or by what they write.

By likelihood the label whose word the model finds likeliest is predicted, after plain text or after the model's chat
template; the likelihoods, renormalised over the labels, are its probabilities. By generation the reply has to be one
label (see `reading`), or the item has no prediction and counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.classify.guess import Done, Guess, Status
from harness.classify.reading import label_of
from harness.classify.template import Example, Shown, TaskTemplate
from harness.errors import InputError
from harness.models.contestant import Answer, Contestant, Question
from harness.models.judgechat import apart, marks_of
from harness.models.likelihood import Ask, LikelihoodModel, Likely
from harness.models.reading import clean
from harness.tasks.fewshot import Shots
from harness.tasks.values import LETTERS, Item
from judges.types import Prompt, Sampling

# What a label's log-likelihood is divided by: nothing, its tokens, or the bytes of its word.
Normalise = Literal["none", "tokens", "bytes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Putting:
    """How items are put to a language model: template, field names, the labels' words, the examples shown before."""

    template: TaskTemplate
    fields: tuple[str, ...]
    words: Mapping[str, str]
    shots: Shots | None = None

    def words_of(self, item: Item) -> dict[str, str]:
        """The words of the labels that an item can have: of a multiple-choice question as many as it has options."""
        if not item.options:
            return dict(self.words)
        return {label: word for label, word in self.words.items() if label in LETTERS[: len(item.options)]}

    def text(self, item: Item) -> str:
        """Everything as one text, after which the label's word belongs. Raises InputError as the template says."""
        try:
            return self.template.text(shown(item, self.fields), self._examples(item), self.words)
        except ValueError as error:
            raise InputError(f"{item.place}: {error}") from None

    def chat(self, item: Item, tokenizer: Any, marks: Sequence[str]) -> str:
        """Everything in a model's own chat template, up to where its reply begins; `marks` are broken in the texts."""
        from jinja2 import TemplateError

        try:
            messages = self.template.chat(shown(item, self.fields), self._examples(item), self.words)
        except ValueError as error:
            raise InputError(f"{item.place}: {error}") from None
        chat = [{"role": each.role, "content": apart(clean(each.content), marks)} for each in messages]
        try:
            made = tokenizer.apply_chat_template(
                chat, add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except TemplateError as error:
            raise InputError(f"the model's chat template refuses an item: {error}; set 'chat: false'") from None
        return str(made)

    def _examples(self, item: Item) -> tuple[Example, ...]:
        if self.shots is None:
            return ()
        head = self.shots.head
        return tuple(
            Example(shown=shown(shot, self.fields), label=shot.labels[head]) for shot in self.shots.before(item)
        )


def shown(item: Item, fields: Sequence[str]) -> Shown:
    """What a template shows of an item."""
    return Shown(
        fields=dict(zip(fields, item.texts, strict=True)), options=dict(zip(LETTERS, item.options, strict=False))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LikelihoodClassifier:
    """A local model that is looked at. `chat` None: its chat template is used where it has one."""

    model: LikelihoodModel
    putting: Putting
    normalise: Normalise = "none"
    chat: bool | None = None

    async def ready(self) -> None:
        """Load the model."""
        await self.model.tokenizer()

    async def classify(self, items: Sequence[Item], done: Done) -> None:
        """Label every item in forward passes; one that does not fit the model is `truncated`."""
        tokenizer = await self.model.tokenizer()
        chats = bool(tokenizer.chat_template) if self.chat is None else self.chat
        if chats and not tokenizer.chat_template:
            raise InputError("the model has no chat template; set 'chat: false', or leave it out")
        asks = [self._ask(item, tokenizer if chats else None) for item in items]
        async for place, found in self.model.likely(asks):
            item = items[place]
            done(item, guess_of(found, self.putting.words_of(item), self.normalise))

    def _ask(self, item: Item, tokenizer: Any | None) -> Ask:
        words = list(self.putting.words_of(item).values())
        if tokenizer is None:
            return Ask(context=self.putting.text(item), labels=tuple(f" {word}" for word in words))
        text = self.putting.chat(item, tokenizer, marks_of(tokenizer))
        return Ask(context=text, labels=tuple(words), special=False)


def guess_of(found: Likely, words: Mapping[str, str], normalise: Normalise) -> Guess:
    """The likeliest label, of equals the first, and the share of each label's likelihood among them."""
    if not found.logs:
        what = f"{found.tokens} tokens do not fit the model's {found.room}"
        return Guess(label=None, status="truncated", details={"error": what})
    over = {
        "none": [1] * len(words),
        "tokens": found.lengths,
        "bytes": [len(word.encode()) for word in words.values()],
    }[normalise]
    scores = [log / by for log, by in zip(found.logs, over, strict=True)]
    top = max(scores)
    if not math.isfinite(top):
        return Guess(label=None, status="invalid_parse", details={"error": "the model's likelihoods are not finite"})
    shares = [math.exp(score - top) for score in scores]
    labels = list(words)
    return Guess(
        label=labels[scores.index(top)],
        probabilities={label: share / math.fsum(shares) for label, share in zip(labels, shares, strict=True)},
        details={"log_likelihoods": dict(zip(labels, found.logs, strict=True))},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationClassifier:
    """A model that writes its answer: any contestant, behind an API or local."""

    contestant: Contestant
    putting: Putting
    sampling: Sampling

    async def ready(self) -> None:
        """Nothing: a contestant opens itself at its first answer."""

    async def classify(self, items: Sequence[Item], done: Done) -> None:
        """Have every item answered in writing, and the reply read strictly."""
        by_id = {item.id: item for item in items}
        questions = [
            Question(prompt=Prompt(id=item.id, turns=(self.putting.text(item),)), sample=0, sampling=self.sampling)
            for item in items
        ]

        def keep(question: Question, answer: Answer) -> None:
            item = by_id[question.prompt.id]
            done(item, read(answer, self.putting.words_of(item)))

        await self.contestant.answer(questions, keep)


def read(answer: Answer, words: Mapping[str, str]) -> Guess:
    """The label that a written answer names, or why there is none."""
    if answer.texts is None:
        details = {"error": str(answer.details.get("error", "no answer came"))}
        return Guess(label=None, status=_ended(answer), details=details)
    reply = answer.texts[0]
    found = label_of(reply, words)
    told: dict[str, Any] = {"reply": reply}
    if answer.latency_s is not None:
        told["latency_s"] = answer.latency_s
    if found is not None:
        return Guess(label=found, details=told)
    cut = answer.finish == "length"
    return Guess(label=None, status="truncated" if cut else "invalid_parse", details=told)


def _ended(answer: Answer) -> Status:
    """Why there is no text: what the model itself ended is not asked again."""
    if answer.details.get("too_long") is not None:
        return "truncated"
    return "refused" if answer.details.get("refused") else "provider_error"

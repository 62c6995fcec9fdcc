"""Local judges: a look at the verdict's token beside a reply of 128 tokens, same model, template and prompts."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from harness import checkpoint
from harness.models.local import LocalModel
from harness.models.meter import Meter
from harness.models.nexttoken import NextToken
from judges.template import load
from judges.types import Presentation, Prompt, Request, Sampling
from judges.verdict_token import MENU
from tests.bench.anchor import interval
from tests.bench.measure import Row, Section, spread
from tests.tiny import TEMPLATE

ROUNDS = 6
NEW_TOKENS = 128
COMPARISONS = 4
# Words of a request and of an answer.
LENGTHS = (60, 140)
SHAPE = {
    "vocab_size": 32000,
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}
WORDS = [
    "soup",
    "rice",
    "bread",
    "leeks",
    "carrots",
    "onions",
    "thyme",
    "butter",
    "kitchen",
    "simmer",
    "roast",
    "slowly",
    "quickly",
    "golden",
    "tender",
    "the",
    "a",
    "of",
    "and",
    "with",
    "until",
    "then",
    "while",
    "because",
    "plate",
    "table",
    "guests",
    "evening",
    "recipe",
    "minutes",
    "oven",
    "water",
    "salt",
    "pepper",
    "season",
    "taste",
]


def verdict_token(folder: Path) -> Section:
    """Comparisons a second, both orders, in the two modes."""
    times, tokens = _measured(_checkpoint(folder), _requests(*LENGTHS))
    ratios = [a / b for a, b in zip(times["generation"], times["verdict-token"], strict=True)]
    whole = [a / b for a, b in zip(times["whole"], times["verdict-token"], strict=True)]
    (low, high), (low_whole, high_whole) = interval(ratios), interval(whole)
    return Section(
        title="Local judges: the verdict's token against a reply",
        how=(
            f"`python -m tests.bench verdict_token`: {COMPARISONS} comparisons in both orders, all waiting at once, "
            "one question each, by one model in one process: random weights, 8 layers × 512, vocabulary 32,000, "
            "float32, CPU. The same model, template (`verdict`) and prompts in both modes; prompts of "
            f"{min(tokens)}–{max(tokens)} tokens. Every reply has all of its {NEW_TOKENS} tokens, none ends early. "
            f"{ROUNDS} interleaved rounds; median (lowest–highest), and for ratios of times the median with its 96 % "
            "interval."
        ),
        rows=(
            Row(what="generation, comparisons/s", figure=_rate(times["generation"]), bound="", kept=True),
            Row(what="verdict-token, comparisons/s", figure=_rate(times["verdict-token"]), bound="", kept=True),
            Row(
                what="ratio",
                figure=f"{median(ratios):.1f} ({low:.1f}–{high:.1f})",
                bound="≥ 2",
                kept=low >= 2,
            ),
            Row(
                what="verdict-token, what all prompts or both orders share read anew for each: time",
                figure=f"{median(whole):.2f} ({low_whole:.2f}–{high_whole:.2f})",
                bound="",
                kept=True,
            ),
        ),
    )


def _rate(times: Sequence[float]) -> str:
    return spread([COMPARISONS / each for each in times], 3)


def _measured(base: Path, asked: Sequence[Request]) -> tuple[dict[str, list[float]], list[int]]:
    """Seconds of each round by mode, and the prompts' tokens. Raises where a reply ends early."""
    shared, whole = _model(base, sharing=True), _model(base, sharing=False)
    tokens: list[int] = []

    async def write(request: Request) -> None:
        reply = await shared.ask(request)
        assert reply.usage is not None
        if reply.usage.output_tokens != NEW_TOKENS:
            raise ValueError(f"a reply has {reply.usage.output_tokens} tokens, not {NEW_TOKENS}")
        tokens.append(reply.usage.input_tokens)

    def look(model: LocalModel) -> Callable[[Request], Awaitable[Any]]:
        return lambda request: model.choose(request, menu=MENU, lead="[[")

    modes: dict[str, Callable[[Request], Awaitable[Any]]] = {
        "generation": write,
        "verdict-token": look(shared),
        "whole": look(whole),
    }
    times: dict[str, list[float]] = {name: [] for name in modes}
    for turn in range(-1, ROUNDS):
        for name, mode in modes.items():
            # The first round loads and warms up.
            took = asyncio.run(_seconds(mode, asked if turn >= 0 else asked[:2]))
            if turn >= 0:
                times[name].append(took)
    return times, tokens


async def _seconds(mode: Callable[[Request], Awaitable[Any]], asked: Sequence[Request]) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(mode(request) for request in asked))
    return time.perf_counter() - started


def _model(base: Path, *, sharing: bool) -> LocalModel:
    class Opened(LocalModel):
        def _open(self) -> Any:
            model, tokenizer, chat, _ = super()._open()
            return model, tokenizer, chat, NextToken(model, sharing=sharing)

    fingerprint = checkpoint.fingerprint(base)
    return Opened(spec="hf/bench", base=base, adapter=None, fingerprint=fingerprint, cache=None, meter=Meter())


def _requests(request: int, answer: int) -> list[Request]:
    """Both orders of every comparison, adjacent, as a run asks them."""
    rng = random.Random(0)
    text = lambda words: " ".join(rng.choices(WORDS, k=round(words * rng.uniform(0.6, 1.4))))  # noqa: E731
    template, found = load("verdict"), []
    for place in range(COMPARISONS):
        prompt, a, b = Prompt(id=str(place), turns=(text(request),)), text(answer), text(answer)
        for first, second in ((a, b), (b, a)):
            messages = template.messages(Presentation(prompt=prompt, a=(first,), b=(second,)))
            sampling = Sampling(temperature=0.0, max_tokens=NEW_TOKENS)
            found.append(Request(messages=messages, sampling=sampling, template=template.sha256))
    return found


def _checkpoint(folder: Path) -> Path:
    """Random weights of a believable shape, and a tokenizer that takes a word, about, for a token."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"]
    trained = ByteLevelBPETokenizer()
    texts = [load("verdict").source, " ".join(WORDS)] * 4
    trained.train_from_iterator(texts, vocab_size=4000, special_tokens=marks, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # No token ends a reply before its time.
        LlamaForCausalLM(LlamaConfig(**SHAPE, bos_token_id=None, eos_token_id=None)).save_pretrained(folder)
    return folder


ALL = (verdict_token,)

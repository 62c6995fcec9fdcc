"""Trains a small Llama model from nothing on a recipe's examples, one example a row.

The loss counts on answers alone (on all of a plain text): what people ask cannot be foretold, and a small model
that must not try learns several times faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InputError
from train import tokenizer as bpe
from train.data import Example, Examples
from train.outcome import Trained
from train.recipe import PretrainKeys
from train.steady import device_name, steady

IGNORED = -100
"""The label that the loss passes over."""
POOL = 16
"""How many batches are drawn and sorted by length together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    tokens: tuple[int, ...]
    asked: int


def pretrain(keys: PretrainKeys, examples: Examples, into: Path, step: Callable[[int, int], None]) -> Trained:
    """Train, and save model and tokenizer in the folder `into`. `step` is called with steps done and planned."""
    device = device_name(keys.device)
    with steady(keys.seed, keys.threads):
        tokenizer = bpe.train(_texts(examples), keys.tokenizer.vocab_size, keys.model.context)
        model = _model(keys, tokenizer).to(device)
        rows = _rows(tokenizer, examples.rows, keys.training.max_length)
        history = _fit(model, keys, rows, step)
        model.save_pretrained(str(into))
        tokenizer.save_pretrained(str(into))
    return Trained(
        steps=keys.training.steps,
        planned=keys.training.steps,
        examples=len(rows),
        epochs=keys.training.steps * keys.training.batch_size / len(rows),
        history=tuple(history),
        device=device,
    )


def cosine(done: int, warmup: int, steps: int) -> float:
    """The share of the learning rate at a step: linear up over `warmup` steps, then a half cosine down to zero."""
    if done < warmup:
        return (done + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / max(1, steps - warmup)))


def _texts(examples: Examples) -> Iterator[str]:
    for row in examples.rows:
        yield from (message.content for message in row.prompt)
        yield row.answer


def _model(keys: PretrainKeys, tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = keys.model
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        initializer_range=shape.initializer_range,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _rows(tokenizer: Any, examples: Sequence[Example], longest: int) -> list[_Row]:
    asked = tokenizer([_asked(tokenizer, example) for example in examples], add_special_tokens=False)["input_ids"]
    said = tokenizer([example.answer + bpe.END for example in examples], add_special_tokens=False)["input_ids"]
    rows = [
        _Row(tokens=tuple((before + after)[:longest]), asked=len(before))
        for before, after in zip(asked, said, strict=True)
        if len(before) < longest
    ]
    if not rows:
        raise InputError(f"training.max_length: {longest} tokens leave no answer of any example; raise it")
    return rows


def _asked(tokenizer: Any, example: Example) -> str:
    if not example.prompt:
        return ""
    turns = [{"role": message.role, "content": message.content} for message in example.prompt]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def _fit(
    model: Any, keys: PretrainKeys, rows: Sequence[_Row], step: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    import torch

    plan = keys.training
    optimizer = torch.optim.AdamW(
        _groups(model, plan.weight_decay), lr=plan.learning_rate, betas=(0.9, 0.95), fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: cosine(done, plan.warmup_steps, plan.steps))
    history = []
    model.train()
    for done, batch in enumerate(_batches(rows, plan.batch_size, plan.steps), start=1):
        tokens, labels = _padded(batch, model.config.pad_token_id)
        # Padding stands on the right, where a causal model does not look, so no mask is needed.
        loss = model(input_ids=tokens.to(model.device), labels=labels.to(model.device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if done % 10 == 0 or done == plan.steps:
            history.append({"step": done, "loss": float(loss.detach())})
        step(done, plan.steps)
    return history


def _groups(model: Any, decay: float) -> list[dict[str, Any]]:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def _batches(rows: Sequence[_Row], size: int, steps: int) -> Iterator[list[_Row]]:
    """`steps` batches: every row once in a drawn order, then again in another one; rows of like length go together."""
    import torch

    rounds = math.ceil(steps * size / len(rows))
    order = torch.cat([torch.randperm(len(rows)) for _ in range(rounds)]).tolist()[: steps * size]
    for start in range(0, len(order), POOL * size):
        # Sorting whole rounds would put one kind of example after the other; a pool of batches saves most padding too.
        pool = sorted(order[start : start + POOL * size], key=lambda place: len(rows[place].tokens))
        for batch in torch.randperm(len(pool) // size).tolist():
            yield [rows[place] for place in pool[batch * size : (batch + 1) * size]]


def _padded(batch: Sequence[_Row], pad: int) -> tuple[Any, Any]:
    import torch

    width = max(len(row.tokens) for row in batch)
    tokens = torch.full((len(batch), width), pad)
    labels = torch.full((len(batch), width), IGNORED)
    for place, row in enumerate(batch):
        length = len(row.tokens)
        tokens[place, :length] = torch.tensor(row.tokens)
        labels[place, row.asked : length] = tokens[place, row.asked : length]
    return tokens, labels

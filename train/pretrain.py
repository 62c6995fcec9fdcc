"""Trains a small Llama model from nothing on a recipe's examples, next token by next token.

Examples are shuffled, joined into one stream of tokens and cut into rows, so that no row is padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from train import tokenizer as bpe
from train.data import Example, Examples
from train.outcome import Trained
from train.recipe import PretrainKeys
from train.steady import device_name, steady


def pretrain(keys: PretrainKeys, examples: Examples, into: Path, step: Callable[[int, int], None]) -> Trained:
    """Train, and save model and tokenizer in the folder `into`. `step` is called with steps done and planned."""
    with steady(keys.seed, keys.threads):
        tokenizer = bpe.train(_texts(examples), keys.tokenizer.vocab_size, keys.model.context)
        model = _model(keys, tokenizer).to(device_name(keys.device))
        stream = _stream(tokenizer, examples)
        history = _fit(model, keys, stream, step)
        model.save_pretrained(str(into))
        tokenizer.save_pretrained(str(into))
    seen = keys.training.steps * keys.training.batch_size * keys.training.sequence_length
    return Trained(
        steps=keys.training.steps,
        planned=keys.training.steps,
        epochs=seen / len(stream),
        history=tuple(history),
        device=device_name(keys.device),
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
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _stream(tokenizer: Any, examples: Examples) -> list[int]:
    import torch

    order = torch.randperm(len(examples.rows)).tolist()
    texts = [_written(tokenizer, examples.rows[place]) for place in order]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [token for ids in encoded for token in ids]


def _written(tokenizer: Any, row: Example) -> str:
    if not row.prompt:
        return row.answer + bpe.END
    turns = [{"role": message.role, "content": message.content} for message in row.prompt]
    return str(tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": row.answer}], tokenize=False))


def _fit(model: Any, keys: PretrainKeys, stream: list[int], step: Callable[[int, int], None]) -> list[dict[str, float]]:
    import torch

    plan = keys.training
    optimizer = torch.optim.AdamW(_groups(model, plan.weight_decay), lr=plan.learning_rate, betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: cosine(done, plan.warmup_steps, plan.steps))
    history = []
    model.train()
    for done, rows in enumerate(_batches(stream, keys, model.device), start=1):
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if done % 10 == 0 or done == plan.steps:
            history.append({"step": done, "loss": float(loss)})
        step(done, plan.steps)
    return history


def _groups(model: Any, decay: float) -> list[dict[str, Any]]:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def _batches(stream: list[int], keys: PretrainKeys, device: Any) -> Iterator[Any]:
    """Batches of whole rows, the stream read again from a shifted start when it ends."""
    import torch

    length, size = keys.training.sequence_length, keys.training.batch_size
    tokens = torch.tensor(stream)
    if len(tokens) < length:
        tokens = tokens.repeat(math.ceil(length / len(tokens)))
    rows = tokens[: len(tokens) // length * length].view(-1, length)
    order = torch.cat([torch.randperm(len(rows)) for _ in range(math.ceil(keys.training.steps * size / len(rows)))])
    for start in range(0, keys.training.steps * size, size):
        yield rows[order[start : start + size]].to(device)

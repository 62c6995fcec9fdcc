"""Zero-shot classification beside lm-eval: same model, items and template, item by item, and how long each takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from harness.classify.asking import LikelihoodClassifier, Putting
from harness.classify.guess import Guess
from harness.classify.template import load as load_template
from harness.models.likelihood import LikelihoodModel
from harness.tasks.keys import SplitKeys, TaskKeys
from harness.tasks.load import load as load_task
from harness.tasks.values import Task
from tests.bench.anchor import interval
from tests.bench.carried import Absent, data
from tests.bench.lmeval import Scored, Zeroshot, evaluated, model_of, requests_of, task_of
from tests.bench.measure import Row, Section
from tests.tiny import byte_pairs

FILES = {"sst2": ("sst2_train_2000.jsonl", "sst2_dev.jsonl"), "rte": ("rte_train.jsonl", "rte_dev.jsonl")}
ROUNDS = 9
BATCHES = (4, 8, 16, 32, 64)
SHARE, FASTER = 0.995, 1.5
MARKS = ("<|begin|>", "<|end|>", "<|pad|>")
# Of the first few the one by which labels are predicted most evenly.
SEED = 3
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
}


def parity(folder: Path) -> Section:
    """Predictions, log-likelihoods and seconds, of words that are one token and of words that are several."""
    try:
        known = version("lm_eval")
    except PackageNotFoundError:
        raise Absent("needs lm-eval: pip install -c constraints.txt '.[bench]'") from None
    tasks = {name: _task(name) for name in FILES}
    zeros = [_zeroshot(name, task) for name, task in tasks.items()]
    rows = [
        *_compared("words of one token", *_wordwise(tasks, zeros), zeros),
        *_compared("words of several tokens", *_bytewise(), zeros),
    ]
    return Section(
        title="Zero-shot classification beside lm-eval",
        how=(
            f"`python -m tests.bench parity`: SST-2's {len(zeros[0].items)} and RTE's {len(zeros[1].items)} items of "
            "../shared/data/glue by log-likelihood, templates `sst2` and `rte` as plain text, no examples; beside "
            f"lm-eval {known}, which fills the same source: `evaluate` for what it predicts, "
            "`HFLM.loglikelihood` on requests that are ready for its time, at the fastest of its batch sizes "
            f"{', '.join(map(str, BATCHES))}. Ours fills its templates within its time. One model in memory for both, "
            "Llama of 4 layers × 128, float32, CPU. Its weights are random, so that accuracies are chance and what it "
            "predicts hangs on every number; the labels' words are one token (vocabulary 4,096), or with byte-level "
            f"tokens 2 to 5. {ROUNDS} interleaved rounds after a warm-up, taking turns at going first; ratios of times "
            "in one round, the median with its 96 % interval."
        ),
        rows=tuple(rows),
    )


def _compared(what: str, model: Any, tokenizer: Any, zeros: Sequence[Zeroshot]) -> list[Row]:
    """The rows of one model."""
    ours, lm_eval = scored(model, tokenizer, zeros), evaluated(model_of(model, tokenizer, 16), zeros)
    pairs = [
        (mine, theirs) for zero in zeros for mine, theirs in zip(ours[zero.name], lm_eval[zero.name][1], strict=True)
    ]
    same = sum(mine.label == theirs.label for mine, theirs in pairs)
    apart = max(abs(mine.logs[label] - theirs.logs[label]) for mine, theirs in pairs for label in theirs.logs)
    right = {zero.name: accuracy(zero, ours[zero.name]) for zero in zeros}
    accuracies = "; ".join(f"{name} {right[name]:.4f} and {lm_eval[name][0]:.4f}" for name in right)
    batch, times = _timed(model, tokenizer, zeros)
    ratios = [theirs / mine for mine, theirs in zip(times["ours"], times["lm-eval"], strict=True)]
    low, high = interval(ratios)
    share = same / len(pairs)
    return [
        Row(
            what=f"{what}: same prediction",
            figure=f"{same} of {len(pairs)} ({100 * share:.2f} %)",
            bound=f"≥ {100 * SHARE:.1f} % of ≥ 800",
            kept=share >= SHARE and len(pairs) >= 800,
        ),
        Row(what=f"{what}: accuracy, ours and lm-eval's", figure=accuracies, bound="", kept=True),
        Row(what=f"{what}: predicted", figure=_spread(ours), bound="", kept=True),
        Row(what=f"{what}: log-likelihoods apart by at most", figure=f"{apart:.1e}", bound="", kept=True),
        Row(what=f"{what}: seconds, ours", figure=_seconds(times["ours"]), bound="", kept=True),
        Row(
            what=f"{what}: seconds, lm-eval in batches of {batch}",
            figure=_seconds(times["lm-eval"]),
            bound="",
            kept=True,
        ),
        Row(
            what=f"{what}: times as fast",
            figure=f"{median(ratios):.2f} ({low:.2f}–{high:.2f})",
            bound=f"≥ {FASTER}",
            kept=low >= FASTER,
        ),
    ]


def _spread(ours: Mapping[str, Sequence[Scored]]) -> str:
    """How often each label was predicted, so that a model that always says the same is seen."""
    told = []
    for name, found in ours.items():
        counts = {label: sum(each.label == label for each in found) for label in found[0].logs}
        told.append(f"{name}: " + ", ".join(f"{label} {count}" for label, count in counts.items()))
    return "; ".join(told)


def _seconds(times: Sequence[float]) -> str:
    return f"{median(times):.2f} ({min(times):.2f}–{max(times):.2f})"


def scored(model: Any, tokenizer: Any, zeros: Sequence[Zeroshot]) -> dict[str, list[Scored]]:
    """What our harness says of every item, by task. Raises KeyError where an item has no prediction."""
    found: dict[str, dict[str, Guess]] = {zero.name: {} for zero in zeros}
    likelihood = LikelihoodModel.of(model, tokenizer)

    async def classified() -> None:
        for zero in zeros:
            classifier = LikelihoodClassifier(model=likelihood, putting=zero.putting, normalise="none", chat=False)
            kept = found[zero.name]
            await classifier.classify(zero.items, lambda item, guess, kept=kept: kept.__setitem__(item.id, guess))

    asyncio.run(classified())
    return {zero.name: [_scored(found[zero.name][item.id]) for item in zero.items] for zero in zeros}


def _scored(guess: Guess) -> Scored:
    return Scored(logs=guess.details["log_likelihoods"], label=str(guess.label))


def accuracy(zero: Zeroshot, found: Sequence[Scored]) -> float:
    """The share of items whose label is predicted."""
    right = [each.label == item.labels[zero.head] for item, each in zip(zero.items, found, strict=True)]
    return sum(right) / len(right)


def _timed(model: Any, tokenizer: Any, zeros: Sequence[Zeroshot]) -> tuple[int, dict[str, list[float]]]:
    """lm-eval's fastest batch size, and the seconds of each round."""
    requests = [request for zero in zeros for request in requests_of(task_of(zero))]

    def theirs(batch: int) -> Callable[[], object]:
        wrapped = model_of(model, tokenizer, batch)
        return lambda: wrapped.loglikelihood(requests, disable_tqdm=True)

    def ours() -> object:
        return scored(model, tokenizer, zeros)

    took(theirs(BATCHES[-1]))
    batch = min(BATCHES, key=lambda size: min(took(theirs(size)) for _ in range(2)))
    both = {"ours": ours, "lm-eval": theirs(batch)}
    took(ours)
    times: dict[str, list[float]] = {name: [] for name in both}
    for turn in range(ROUNDS):
        for name in list(both)[:: 1 if turn % 2 else -1]:
            times[name].append(took(both[name]))
    return batch, times


def took(work: Callable[[], object]) -> float:
    """The seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _task(name: str) -> Task:
    train, test = (str(data("glue", file)) for file in FILES[name])
    return load_task(TaskKeys(glue=name, train=train, test=test), SplitKeys(), Path(), where=name)


def _zeroshot(name: str, task: Task) -> Zeroshot:
    (head,) = task.heads
    template = load_template(name)
    putting = Putting(template=template, fields=task.text_fields, words=template.words(task.heads[head]))
    return Zeroshot(name=name, items=task.test, putting=putting, head=head)


def _wordwise(tasks: Mapping[str, Task], zeros: Sequence[Zeroshot]) -> tuple[Any, Any]:
    """Random weights, and a byte-level BPE of 4,096 tokens learned from all training items with their labels' words."""
    from tokenizers import ByteLevelBPETokenizer

    texts = [
        f"{zero.putting.text(item)} {zero.putting.words[item.labels[zero.head]]}"
        for zero in zeros
        for item in tasks[zero.name].train
    ]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=4096, special_tokens=list(MARKS), show_progress=False)
    return _with_random_weights(trained._tokenizer)


def _bytewise() -> tuple[Any, Any]:
    """Random weights, and a tokenizer that knows next to no words."""
    return _with_random_weights(byte_pairs(list(MARKS)))


def _with_random_weights(trained: Any) -> tuple[Any, Any]:
    """A model so far from uniform that what it predicts hangs on the text, and a tokenizer that begins every text."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    begin, end, pad = MARKS
    trained.post_processor = TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, bos_token=begin, eos_token=end, pad_token=pad)
    config = LlamaConfig(
        **SHAPE, vocab_size=len(tokenizer), initializer_range=0.1, bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return LlamaForCausalLM(config).eval(), tokenizer


ALL = (parity,)

"""What the anchor costs: time and peak memory of training steps beside plain trl, on this machine's best device.

Run as a module it measures inside a process of its own: `time FOLDER`, or `memory FOLDER VARIANT`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests import tiny
from tests.bench.measure import Row, Section
from train.anchored import AnchorSettings, anchored_trainer
from train.watched import Watch, watched

PAIRS = 9
STEPS = 6
TOKENS = 512
TAIL = 128
VARIANTS: dict[str, AnchorSettings | None] = {
    "plain": None,
    "ours": None,
    "tail": AnchorSettings(coef=0.03, tail_tokens=TAIL),
    "all": AnchorSettings(coef=0.03),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A Qwen2 model with random weights and the batch it is trained with."""

    words: str
    config: dict[str, Any]
    batch: int


ON_CPU = Shape(
    words="6 layers of 192, vocabulary 8,192, 1 × 512 tokens, float32, 1 thread",
    config={
        "vocab_size": 8192,
        "hidden_size": 192,
        "intermediate_size": 768,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    batch=1,
)
ON_CUDA = Shape(
    words="the shape of Qwen2.5-0.5B, 8 × 512 tokens, bfloat16, gradient checkpointing",
    config={
        "vocab_size": 151936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    batch=8,
)


def anchor(folder: Path) -> Section:
    """Step time and peak memory: without an anchor, with one over the tail, with one over all tokens."""
    tiny.checkpoint(folder / "tiny")
    timed = _measured("time", folder)
    plain, device, shape = timed["seconds"]["plain"], timed["device"], timed["shape"]
    ratios = {
        name: [a / b for a, b in zip(timed["seconds"][name], plain, strict=True)]
        for name in VARIANTS
        if name != "plain"
    }
    peaks = {name: _measured("memory", folder, name)["mib"] for name in VARIANTS}
    memory = {name: peak / peaks["plain"] for name, peak in peaks.items()}
    low = interval(ratios["ours"])[0]
    return Section(
        title="The anchor",
        how=(
            f"LoRA (rank 8, every linear layer) on random weights: {shape}; {device}. Step times: {PAIRS} interleaved "
            f"rounds in one process, of each the fastest of {STEPS - 1} steps; median ratio to plain trl in the same "
            "round, with the 96 % interval of the median. Peak memory: a process each, above what its imports take."
        ),
        rows=(
            Row(what="plain trl, s a step", figure=f"{median(plain):.3f}", bound="", kept=True),
            Row(
                what="this program's trainer without an anchor, time",
                figure=_told(ratios["ours"]),
                bound="low end ≤ 1.03",
                kept=low <= 1.03,
            ),
            _bounded(
                f"anchor over {TAIL} of {TOKENS} tokens, time", _told(ratios["tail"]), median(ratios["tail"]), 1.5
            ),
            Row(what="anchor over all tokens, time", figure=_told(ratios["all"]), bound="", kept=True),
            Row(what="plain trl, peak MiB", figure=f"{peaks['plain']:.0f}", bound="", kept=True),
            Row(what="without an anchor, peak memory", figure=f"{memory['ours']:.2f}", bound="", kept=True),
            _bounded(
                f"anchor over {TAIL} of {TOKENS} tokens, peak memory", f"{memory['tail']:.2f}", memory["tail"], 1.25
            ),
            Row(what="anchor over all tokens, peak memory", figure=f"{memory['all']:.2f}", bound="", kept=True),
        ),
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The median's interval between two order statistics, as narrow as keeps at least 95 % (n ≥ 6)."""
    n, ordered, below, cut = len(values), sorted(values), 0.0, 0
    while below + math.comb(n, cut) / 2**n <= 0.025:
        below += math.comb(n, cut) / 2**n
        cut += 1
    return ordered[cut - 1], ordered[n - cut]


def _told(ratios: Sequence[float]) -> str:
    low, high = interval(ratios)
    return f"{median(ratios):.2f} ({low:.2f}–{high:.2f})"


def _bounded(what: str, figure: str, value: float, bound: float) -> Row:
    return Row(what=what, figure=figure, bound=f"≤ {bound}", kept=value <= bound)


def _measured(*arguments: object) -> Any:
    command = [sys.executable, "-m", "tests.bench.anchor", *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    if arguments[0] == "memory":
        # Large blocks go back to the system at once: otherwise the peak hangs on how the heap happens to be cut up.
        env |= {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _trainer(name: str, folder: Path, stamps: list[float]) -> Any:
    """A trainer of that variant on random tokens; every finished step leaves its time in `stamps`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, PrinterCallback, Qwen2Config, Qwen2ForCausalLM, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Stamps(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if cuda:
                torch.cuda.synchronize()
            stamps.append(time.perf_counter())

    shape, cuda, settings = _shape(), torch.cuda.is_available(), VARIANTS[name]
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**shape.config, max_position_embeddings=TOKENS))
    rows = torch.randint(0, shape.config["vocab_size"], (shape.batch * STEPS, TOKENS)).tolist()
    kind, extra = (SFTTrainer, {}) if settings is None else (anchored_trainer(), {"anchor": settings})
    if name != "plain":
        kind, extra = watched(kind), {**extra, "watch": Watch(pairs=False, validates=False)}
    trainer = kind(
        model=model.to(torch.bfloat16) if cuda else model,
        args=SFTConfig(
            output_dir=str(folder / name),
            per_device_train_batch_size=shape.batch,
            max_steps=STEPS,
            max_length=TOKENS,
            dataset_kwargs={"skip_prepare_dataset": True},
            use_cpu=not cuda,
            bf16=cuda,
            gradient_checkpointing=cuda,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"input_ids": row, "labels": row} for row in rows]),
        processing_class=AutoTokenizer.from_pretrained(folder / "tiny"),
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[Stamps()],
        **extra,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _shape() -> Shape:
    import torch

    return ON_CUDA if torch.cuda.is_available() else ON_CPU


def _time(folder: Path) -> dict[str, Any]:
    """Seconds a step by variant, one figure a round; the variant that goes first changes from round to round."""
    import torch

    stamps: list[float] = []
    trainers = {name: _trainer(name, folder, stamps) for name in VARIANTS}
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for turn in range(-1, PAIRS):
        names = list(VARIANTS)
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            stamps.clear()
            trainers[name].train()
            took = min(later - earlier for earlier, later in itertools.pairwise(stamps))
            # The first round warms up.
            if turn >= 0:
                seconds[name].append(took)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"seconds": seconds, "device": device, "shape": _shape().words}


def _memory(folder: Path, name: str) -> dict[str, float]:
    """The peak of a short training in MiB: of the CUDA allocator, or of the process beyond its imports."""
    import torch
    import trl.trainer.sft_trainer  # noqa: F401  its imports are not what is measured

    before = _peak()
    _trainer(name, folder, []).train()
    if torch.cuda.is_available():
        return {"mib": torch.cuda.max_memory_allocated() / 1024**2}
    return {"mib": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


if __name__ == "__main__":
    verb, where, *rest = sys.argv[1:]
    print(json.dumps(_time(Path(where)) if verb == "time" else _memory(Path(where), rest[0])))

ALL = (anchor,)

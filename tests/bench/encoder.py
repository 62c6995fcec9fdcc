"""What our trainer of encoders costs: its steps beside a bare transformers Trainer's, with options and with R-Drop.

Run as a module it measures inside a process of its own: `python -m tests.bench.encoder FOLDER`.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from harness.models.encoder.form import Form, HeadForm
from tests.bench.anchor import interval
from tests.bench.measure import Row, Section

PAIRS = 11
STEPS = 6
BATCH, TOKENS = 8, 64
VARIANTS = ("bare", "ours", "all", "rdrop")
FORM = Form(heads=(HeadForm(name="label", labels=("a", "b", "c")),), max_length=TOKENS)
SHAPE = {
    "vocab_size": 8192,
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "max_position_embeddings": TOKENS,
}


def encoder(folder: Path) -> Section:
    """Step times: a bare Trainer, ours at equal settings, ours with every option but R-Drop, ours with R-Drop."""
    command = [sys.executable, "-m", "tests.bench.encoder", str(folder)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    timed = json.loads(done.stdout.splitlines()[-1])
    bare = timed["seconds"]["bare"]
    ratios = {
        name: [a / b for a, b in zip(timed["seconds"][name], bare, strict=True)] for name in VARIANTS if name != "bare"
    }
    told = {
        name: f"{median(each):.2f} ({interval(each)[0]:.2f}–{interval(each)[1]:.2f})" for name, each in ratios.items()
    }
    low = interval(ratios["ours"])[0]
    return Section(
        title="Encoders",
        how=(
            f"BERT of 6 layers of 192, vocabulary 8,192, {BATCH} × {TOKENS} tokens, float32, random weights; "
            f"{timed['device']}, 1 thread. {PAIRS} interleaved rounds in one process, of each the fastest of "
            f"{STEPS - 1} steps; median ratio to a bare transformers Trainer on AutoModelForSequenceClassification in "
            "the same round, with the 96 % interval of the median."
        ),
        rows=(
            Row(what="bare Trainer, s a step", figure=f"{median(bare):.3f}", bound="", kept=True),
            Row(what="this program's trainer, time", figure=told["ours"], bound="low end ≤ 1.05", kept=low <= 1.05),
            Row(what="with focal loss, weights, attention, rates by depth", figure=told["all"], bound="", kept=True),
            Row(what="with R-Drop, time", figure=told["rdrop"], bound="≤ 2.1", kept=median(ratios["rdrop"]) <= 2.1),
        ),
    )


def _arguments(folder: Path, name: str) -> Any:
    import torch
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder / name),
        per_device_train_batch_size=BATCH,
        max_steps=STEPS,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        logging_nan_inf_filter=False,
    )


def _trainer(name: str, folder: Path, stamps: list[float]) -> Any:
    """A trainer of that variant on random tokens; every finished step leaves its time in `stamps`."""
    import torch
    import transformers
    from transformers import BertConfig, BertModel, PrinterCallback, TrainerCallback

    from harness.models.encoder.network import EncoderClassifier
    from train.encoder.trainer import Collator, EncoderTrainer

    class Stamps(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            stamps.append(time.perf_counter())

    torch.manual_seed(0)
    rows, args = _rows(), _arguments(folder, name)
    common = {"args": args, "callbacks": [Stamps()]}
    if name == "bare":
        config = BertConfig(**SHAPE, num_labels=len(FORM.heads[0].labels))
        given = [{"input_ids": row.row.ids[0], "attention_mask": [1] * TOKENS, "labels": row.labels[0]} for row in rows]
        model = transformers.AutoModelForSequenceClassification.from_config(config)
        trainer = transformers.Trainer(model=model, train_dataset=given, **common)
    else:
        form = Form(heads=FORM.heads, max_length=TOKENS, pooling="attention" if name == "all" else "cls")
        network = EncoderClassifier(BertModel(BertConfig(**SHAPE), add_pooling_layer=False), form)
        trainer = EncoderTrainer(model=network, train_dataset=rows, data_collator=Collator(0), way=_way(name), **common)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _rows() -> list[Any]:
    from harness.models.encoder.rows import Row as Tokens
    from train.encoder.data import Example

    rng = random.Random(0)
    return [
        Example(
            row=Tokens(ids=([rng.randrange(1, 8192) for _ in range(TOKENS)],), types=None), labels=(rng.randrange(3),)
        )
        for _ in range(BATCH * STEPS)
    ]


def _way(name: str) -> Any:
    from train.encoder.layers import Rates
    from train.encoder.losses import HeadLoss
    from train.encoder.rdrop import RDrop
    from train.encoder.trainer import Way

    if name == "all":
        loss = HeadLoss(gamma=2.0, smoothing=0.1, class_weights=(0.5, 1.0, 2.0))
        return Way(losses=(loss,), rates=Rates(decay=0.9, head=3.0))
    return Way(losses=(HeadLoss(),), rdrop=RDrop(alpha=0.6) if name == "rdrop" else None)


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
    return {
        "seconds": seconds,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
    }


ALL = (encoder,)

if __name__ == "__main__":
    print(json.dumps(_time(Path(sys.argv[1]))))

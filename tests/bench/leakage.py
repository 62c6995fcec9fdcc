"""The leakage guard on many training examples: from the texts, and from a saved index.

Run as a module it is one whole process: `check TRAIN PROMPTS` compares, `save TRAIN INDEX` builds and saves.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path
from statistics import median

from harness.leakage import TrainingIndex, find, read
from harness.suite import load_prompts
from tests.bench.measure import Row, Section, peak_mib, seconds, spread
from tests.command import environment
from tests.published import write_lines

EXAMPLES, PROMPTS, WORDS = 100_000, 1000, 50
LEAKED = 300
VOCABULARY = 20_000
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def leakage(folder: Path, examples: int = EXAMPLES) -> Section:
    """100,000 examples of 50 words against 1,000 prompts: 100 leaked as they are, 200 with every tenth word changed."""
    train, prompts, index = folder / "train.jsonl", folder / "prompts.jsonl", folder / "index.npz"
    _write(train, prompts, examples)
    env = environment(folder)
    save, from_texts, from_index = (
        [sys.executable, "-m", "tests.bench.leakage", *map(str, given)]
        for given in (("save", train, index), ("check", train, prompts), ("check", index, prompts))
    )
    seconds(save, env)
    found = find(read(index), load_prompts(prompts)[0])
    right = found.exact == _names(0, 100) and found.near == _names(100, LEAKED)
    texts, indexed = ([seconds(given, env) for _ in range(3)] for given in (from_texts, from_index))
    memory = peak_mib(from_texts, env)
    return Section(
        title="Leakage",
        how=(
            f"{examples:,} training examples of {WORDS} words (prompt and response each) against {PROMPTS:,} prompts, "
            "whole processes, 3 times, median (lowest–highest). 100 of the prompts stand in the training data, 200 "
            "with every tenth word changed."
        ),
        rows=(
            Row(what="from the texts, s", figure=spread(texts), bound="≤ 60", kept=median(texts) <= 60),
            Row(what="peak memory, MiB", figure=f"{memory:.0f}", bound="≤ 1000 MB", kept=memory * 1.048576 <= 1000),
            Row(what="from a saved index, s", figure=spread(indexed), bound="", kept=True),
            Row(what="peak memory, MiB", figure=f"{peak_mib(from_index, env):.0f}", bound="", kept=True),
            Row(what="size of the index, MB", figure=f"{index.stat().st_size / 1e6:.0f}", bound="", kept=True),
            Row(what="leaked prompts found, of 300", figure=str(len(found.ids)), bound="exactly these", kept=right),
        ),
    )


def _names(start: int, end: int) -> tuple[str, ...]:
    return tuple(f"p{number}" for number in range(start, end))


def _write(train: Path, prompts: Path, examples: int) -> None:
    """Texts of made-up words, as unevenly frequent as words are."""
    rng = random.Random(0)
    words = ["".join(rng.choices(LETTERS[: rng.randint(12, 26)], k=rng.randint(2, 9))) for _ in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    texts = [rng.choices(words, cum_weights=weights, k=WORDS) for _ in range(examples + PROMPTS)]
    answer = " ".join(texts[-1])
    write_lines(train, [{"prompt": " ".join(text), "response": answer} for text in texts[:examples]])
    asked = rng.sample(texts[:examples], LEAKED) + texts[examples : examples + PROMPTS - LEAKED]
    for text in asked[100:LEAKED]:
        for place in rng.sample(range(WORDS), WORDS // 10):
            text[place] = rng.choice(words)
    write_lines(
        prompts, [{"id": name, "prompt": " ".join(text)} for name, text in zip(_names(0, PROMPTS), asked, strict=True)]
    )


def main(task: str, train: Path, other: Path) -> None:
    built: TrainingIndex = read(train)
    if task == "save":
        built.save(other)
    else:
        print(json.dumps(find(built, load_prompts(other)[0]).as_json()))


ALL = (leakage,)

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))

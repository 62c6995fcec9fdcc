"""Local generation: prompts a second beside a loop of one prompt at a time, and beside transformers' pipeline.

On CPU the embedded models answer; where there is a GPU, random weights of the shape of Qwen2.5-0.5B do, in bfloat16,
with as many end tokens as let answers end at any length.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from harness import suite as suites
from harness.models.contestant import Question, conversation
from harness.models.huggingface import LocalContestant
from harness.models.spec import parse
from harness.models.weights import Device, choose_device, load
from judges.types import Prompt, Sampling
from tests.bench.anchor import ON_CUDA, interval
from tests.bench.measure import Row, Section, spread

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("in_domain", "out_of_domain", "practice")
ROUNDS = 15
# The loop takes so long that it is timed on one prompt in so many; all are compared.
ALONE_EACH = 4
SIZES = (4, 8, 16, 32, 64, 128, 256)
GREEDY = Sampling(temperature=0.0, max_tokens=48)
# A GPU's answer may end at one token in so many.
ENDS = 25
BASE, ADAPTER = "kitchen_base", "kitchen_lora"

Answers = list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A model in memory with its tokenizer, and the prompts that it answers."""

    model: Any
    tokenizer: Any
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Prompts a second in every round by way, the pipeline's best batch size, the shares of answers that are equal."""

    rates: Mapping[str, Sequence[float]]
    size: int
    equal: float
    same_work: float


def generation(folder: Path) -> Section:
    """Prompts a second and equal answers, by model."""
    device = choose_device()
    found = {name: measured(subject) for name, subject in _subjects(device, folder)}
    return Section(
        title="Local generation",
        how=(
            f"`python -m tests.bench generation`: {len(_prompts())} prompts of {', '.join(SUITES)}, greedy, at most "
            f"{GREEDY.max_tokens} new tokens, answered by one model in one process ({_words(device)}), from texts to "
            f"texts: by this program, by a loop of `model.generate` over one prompt at a time (timed on every "
            f"{ALONE_EACH}th prompt, compared on all), and by transformers' "
            "text-generation pipeline at the batch size that was its fastest of "
            f"{', '.join(map(str, SIZES))}. {ROUNDS} interleaved rounds; median (lowest–highest), and for ratios of "
            "rates the median with its 96 % interval."
        ),
        rows=tuple(row for name, own in found.items() for row in rows(name, own, device)),
    )


def rows(name: str, found: Measured, device: Device) -> Iterator[Row]:
    """The lines of one model."""
    yield Row(what=f"{name}: one at a time, prompts/s", figure=spread(found.rates["alone"], 1), bound="", kept=True)
    piped = f"{name}: pipeline, batch size {found.size}, prompts/s"
    yield Row(what=piped, figure=spread(found.rates["pipeline"], 1), bound="", kept=True)
    yield Row(what=f"{name}: this program, prompts/s", figure=spread(found.rates["ours"], 1), bound="", kept=True)
    for way, words, bound in (("alone", "one at a time", 8), ("pipeline", "the pipeline", 1)):
        ratios = [ours / other for ours, other in zip(found.rates["ours"], found.rates[way], strict=True)]
        low, high = interval(ratios)
        figure = f"{median(ratios):.2f} ({low:.2f}–{high:.2f})"
        yield Row(what=f"{name}: ratio to {words}", figure=figure, bound=f"low end ≥ {bound}", kept=low >= bound)
    exact = device.dtype == "float32"
    yield Row(
        what=f"{name}: answers equal to one at a time ({device.dtype})",
        figure=f"{100 * found.equal:.1f} %",
        bound="≥ 99 %" if exact else "",
        kept=found.equal >= 0.99 or not exact,
    )
    yield Row(
        what=f"{name}: answers of the pipeline equal to one at a time",
        figure=f"{100 * found.same_work:.1f} %",
        bound="",
        kept=True,
    )


def measured(subject: Subject, rounds: int = ROUNDS, sizes: Sequence[int] = SIZES) -> Measured:
    """All three ways side by side, warmed up; the way that goes first changes from round to round."""
    pipeline = _pipeline(subject)
    pipeline(sizes[-1])
    size = min(sizes, key=lambda size: _timed(lambda: pipeline(size))[0])
    some = replace(subject, prompts=subject.prompts[::ALONE_EACH])
    answers = {"ours": ours(subject), "pipeline": pipeline(size), "alone": one_at_a_time(subject)}
    ways: dict[str, Callable[[], Answers]] = {
        "alone": lambda: one_at_a_time(some),
        "pipeline": lambda: pipeline(size),
        "ours": lambda: ours(subject),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        names = list(ways)
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            took, found = _timed(ways[name])
            rates[name].append(len(found) / took)
    same = {name: _share(found, answers["alone"]) for name, found in answers.items()}
    return Measured(rates=rates, size=size, equal=same["ours"], same_work=same["pipeline"])


def ours(subject: Subject) -> Answers:
    """The answers of this program's contestant, in the prompts' order."""
    contestant = LocalContestant.of(subject.model, subject.tokenizer, fingerprint="bench", seed=0)
    asked = [Question(prompt=prompt, sample=0, sampling=GREEDY) for prompt in subject.prompts]
    found: dict[int, str] = {}
    asyncio.run(contestant.answer(asked, lambda question, answer: found.update({id(question): answer.texts[0]})))
    return [found[id(question)] for question in asked]


def one_at_a_time(subject: Subject) -> Answers:
    """The answers of a loop over `model.generate`."""
    import torch

    model, tokenizer, found = subject.model, subject.tokenizer, []
    for prompt in subject.prompts:
        encoded = tokenizer.apply_chat_template(
            _chat(prompt), add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(model.device)
        with torch.inference_mode():
            output = model.generate(
                **encoded,
                do_sample=False,
                max_new_tokens=GREEDY.max_tokens,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = output[0, encoded["input_ids"].shape[1] :]
        found.append(tokenizer.decode(new, skip_special_tokens=True).strip())
    return found


def _pipeline(subject: Subject) -> Callable[[int], Answers]:
    """transformers' own text-generation pipeline by batch size, all prompts at once."""
    import transformers

    # It warns of adapters, which it runs all the same.
    transformers.utils.logging.set_verbosity(transformers.utils.logging.CRITICAL)
    made = transformers.pipeline(
        "text-generation", model=subject.model, tokenizer=subject.tokenizer, device=subject.model.device
    )
    chats = [_chat(prompt) for prompt in subject.prompts]

    def answers(size: int) -> Answers:
        outputs = made(
            chats,
            batch_size=size,
            do_sample=False,
            max_new_tokens=GREEDY.max_tokens,
            return_full_text=False,
        )
        return [output[0]["generated_text"].strip() for output in outputs]

    return answers


def _chat(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in conversation(prompt, ())]


def _timed(work: Callable[[], Answers]) -> tuple[float, Answers]:
    started = time.perf_counter()
    answers = work()
    return time.perf_counter() - started, answers


def _share(a: Answers, b: Answers) -> float:
    return sum(one == other for one, other in zip(a, b, strict=True)) / len(a)


def _words(device: Device) -> str:
    if device.name == "cuda":
        import torch

        return f"{ON_CUDA.words.partition(',')[0]}, random weights, {device.dtype}, {torch.cuda.get_device_name()}"
    return f"the embedded model and its adapter, {device.dtype}, {device.name.upper()}"


def _subjects(device: Device, folder: Path) -> Iterator[tuple[str, Subject]]:
    prompts = _prompts()
    if device.name == "cuda":
        base, _ = embedded(BASE)
        model, tokenizer = load(_large(base, folder), None, device)
        yield "0.5B", Subject(model=model, tokenizer=tokenizer, prompts=prompts)
        return
    for name, recipe in (("base", BASE), ("adapter", ADAPTER)):
        model, tokenizer = load(*embedded(recipe), device)
        yield name, Subject(model=model, tokenizer=tokenizer, prompts=prompts)


def _prompts() -> tuple[Prompt, ...]:
    return tuple(prompt for name in SUITES for prompt in suites.load(ROOT / f"suites/{name}.yaml").prompts)


def embedded(recipe: str) -> tuple[Path, Path | None]:
    """The folders of an embedded checkpoint, built where it is not there yet."""
    from train.build import ensure

    place = Path(os.environ.get("HARNESS_CHECKPOINTS") or ROOT / "checkpoints").resolve()
    spec = ensure(ROOT / f"train/recipes/{recipe}.yaml", checkpoints=place, on_progress=lambda *_: None)
    base, adapter = parse(spec, role="judge").parts
    return Path(base), Path(adapter) if adapter else None


def _large(base: Path, folder: Path, config: Mapping[str, Any] = ON_CUDA.config) -> Path:
    """Random weights of a large shape with the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(Qwen2Config(**config, max_position_embeddings=512)).to(torch.bfloat16)
    model.generation_config.eos_token_id = list(range(0, config["vocab_size"], ENDS))
    model.save_pretrained(folder)
    return folder


ALL = (generation,)

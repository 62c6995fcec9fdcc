"""`harness checkpoints show`: everything that a checkpoint's manifest says, for a reader."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness import checkpoint
from harness.checkpoints import spent
from harness.checkpoints.manifest import Base, Data, Manifest
from harness.checkpoints.spent import Spent
from harness.report.numerals import clean, one_line, plural

WIDTH = 80
_LABEL = 16


def verb(path: Path, *, as_json: bool) -> int:
    """Print a checkpoint's manifest. Exit code 0; raises InputError where there is none or it is broken."""
    manifest = checkpoint.read(path)
    took = spent.read(path)
    if as_json:
        value = {"path": str(path), **checkpoint.as_json(manifest), **({"time": took.as_json()} if took else {})}
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(page(path, manifest, took=took) + "\n")
    sys.stdout.flush()
    return 0


def page(path: Path, manifest: Manifest, width: int = WIDTH, took: Spent | None = None) -> str:
    """The manifest as labelled lines of at most `width` columns; the recipe stands last, as YAML."""
    told = _identity(path, manifest), _progress(manifest, took), _data(manifest.data)
    blocks = [*told, _made(manifest), _hashes(manifest)]
    lines: list[str] = []
    for block in blocks:
        lines += ["", *(line for label, text in block for line in _line(label, text, width))]
    recipe = yaml.safe_dump(dict(manifest.recipe), allow_unicode=True, sort_keys=False, width=width - 4)
    if manifest.recipe:
        lines += ["", "recipe", *(f"  {line}" for line in clean(recipe).splitlines())]
    return "\n".join(lines[1:])


_Block = Iterator[tuple[str, str]]


def _identity(path: Path, manifest: Manifest) -> _Block:
    what = "an adapter" if manifest.adapter_sha256 else "a whole model"
    yield "checkpoint", str(path)
    yield "name", manifest.name
    yield "what", f"{manifest.kind}, {what}"
    if manifest.merged_from is not None:
        yield from _base("merged from", manifest.merged_from)
    if manifest.base is not None:
        yield from _base("base", manifest.base)
    else:
        yield "base", "none: trained from nothing"
    if manifest.parent is not None:
        yield from _base("goes on from", manifest.parent)
    if manifest.created:
        yield "created", manifest.created


def _progress(manifest: Manifest, took: Spent | None) -> _Block:
    planned = f" of {manifest.epochs_planned:g} planned" if manifest.epochs_planned is not None else ""
    yield "state", "finished" if manifest.complete else "unfinished"
    yield "steps", f"{manifest.steps_done:,} of {manifest.steps_planned:,} planned"
    yield "epochs", f"{manifest.epochs:.3g}{planned}"
    if took is not None:
        yield "took", f"{took.seconds:,.3g} s on {took.device}, {plural(took.sessions, 'session')}"
    if manifest.weights_step is not None:
        yield "weights of step", f"{manifest.weights_step:,}"
    if manifest.ended:
        yield "at its end" if manifest.complete else "stopped early", manifest.ended
    for name, value in manifest.metrics.items():
        yield name, f"{value:.6g}"


def _data(data: Data) -> _Block:
    yield "examples", f"{data.actual:,} of {data.planned:,} planned"
    counts = {
        "held out": (data.held_out, "equal or near to held-out prompts"),
        "truncated": (data.truncated, "cut to the longest length"),
        "dropped": (data.dropped, "no answer left after the cut"),
        "validation": (data.validation, "kept for validation"),
    }
    for label, (count, why) in counts.items():
        yield label, f"{count:,} ({why})" if count else "0"
    for name, source in data.sources.items():
        yield "source", f"{name}: {_counts(source)}"
    for file in data.files:
        yield "file", f"{file.name}: {plural(file.examples, 'example')}"
        yield "  SHA-256", file.sha256


def _counts(source: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in source.items()) if isinstance(source, Mapping) else str(source)


def _made(manifest: Manifest) -> _Block:
    yield "device", f"{manifest.device}, {manifest.precision}"
    yield "seed", str(manifest.seed)
    yield "versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items()) or "not recorded"
    if manifest.git:
        yield "git", ", ".join(f"{key} {value}" for key, value in manifest.git.items())


def _hashes(manifest: Manifest) -> _Block:
    hashes = {
        "weights": manifest.sha256,
        "adapter": manifest.adapter_sha256 if manifest.adapter_sha256 != manifest.sha256 else None,
        "config": manifest.config_sha256,
        "tokenizer": manifest.tokenizer_sha256,
        "chat template": manifest.chat_template_sha256,
        "data": manifest.data.sha256,
        "index": manifest.data.index_sha256,
        **{f"state {name}": value for name, value in manifest.state.items()},
    }
    yield "SHA-256 of", ""
    for label, value in hashes.items():
        if value:
            yield f"  {label}", value


def _base(label: str, base: Base) -> _Block:
    yield label, base.spec
    yield "  SHA-256", base.sha256


def _line(label: str, text: str, width: int) -> list[str]:
    """A label and its text, wrapped; a path or a hash is never broken, so that it can be copied."""
    head = one_line(label) if label.strip() == label else f"  {one_line(label)}"
    alone = [head] if len(head) >= _LABEL else []
    lines = textwrap.wrap(
        one_line(text),
        width,
        initial_indent=" " * _LABEL if alone else f"{head:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*alone, *lines] or [head]

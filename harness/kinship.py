"""Who judges its own kin: judges of a contestant's family, the contestant itself, or the writer of its training data.

A model prefers what its own family writes (Panickssery et al. 2024, 2404.13076), so that a report must say it. Families
are told by names alone: what a file's name hides stays unknown, and nothing is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import checkpoint

# A name's beginning, or what stands after anything but a letter: "Phi" is not in "Delphi".
_FAMILIES: dict[str, str] = {
    "Claude": r"claude",
    "Command": r"command-[ar]|c4ai|aya",
    "DeepSeek": r"deepseek",
    "Falcon": r"falcon",
    "Gemini": r"gemini",
    "Gemma": r"gemma",
    "GLM": r"(?:chat)?glm",
    "GPT": r"(?:chat)?gpt-?(?:oss|[345])|chatgpt|o[134](?=-|$)|text-davinci|davinci",
    "Granite": r"granite",
    "Grok": r"grok",
    "InternLM": r"internlm",
    "Kimi": r"kimi|moonlight",
    "Llama": r"(?:meta-|code)?llama|vicuna|alpaca",
    "Mistral": r"(?:open-)?mi[sx]tral|ministral|codestral|magistral|pixtral",
    "Nemotron": r"nemotron",
    "OLMo": r"olmo|tulu",
    "Phi": r"phi(?=-?\d)",
    "Qwen": r"qwen|qwq|qvq",
    "SmolLM": r"smollm",
    "T5": r"(?:flan-)?t5",
    "Yi": r"yi(?=-)",
}
_PATTERNS = {family: re.compile(rf"(?<![a-z])(?:{names})", re.IGNORECASE) for family, names in _FAMILIES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Kin:
    """What is known of where a contestant or a judge comes from.

    `names` are everything it is called by (spec, base, the models that a recorded file names), `fingerprint` is that of
    its weights, `writers` the models that wrote its training data, `bases` the fingerprints of what it was made from.
    """

    names: tuple[str, ...]
    fingerprint: str | None = None
    writers: tuple[str, ...] = ()
    bases: frozenset[str] = frozenset()


def families(names: Iterable[str]) -> frozenset[str]:
    """The families that names tell; a distilled model has two."""
    found = set()
    for name in names:
        # The names after a folder's or an owner's: "meta-llama/…" is an owner, and its models say it themselves.
        tail = [part for part in re.split(r"[/+:]", name) if part]
        found |= {family for family, pattern in _PATTERNS.items() if any(pattern.search(part) for part in tail[-2:])}
    return frozenset(found)


def flags(judges: Mapping[str, Kin], contestants: Mapping[str, Kin]) -> list[str]:
    """One sentence for every judge that is kin to a contestant, by role."""
    return [said for name, judge in judges.items() for said in _of(name, judge, contestants)]


def _of(name: str, judge: Kin, contestants: Mapping[str, Kin]) -> Iterator[str]:
    own = families(judge.names)
    for role, contestant in contestants.items():
        shared = own & families(contestant.names)
        written = families(contestant.writers) & own
        exact = {_model(writer) for writer in contestant.writers} & {_model(text) for text in judge.names}
        if judge.fingerprint is not None and judge.fingerprint == contestant.fingerprint:
            yield f"the judge {name} is the {role} itself: it judges its own answers"
        elif shared:
            yield (
                f"the judge {name} is of the same family as the {role} ({_listed(shared)}): models prefer what their "
                "own family writes"
            )
        elif contestant.fingerprint is not None and contestant.fingerprint in judge.bases:
            yield f"the judge {name} was trained from the {role}: it may prefer what that writes"
        elif judge.bases & contestant.bases:
            yield f"the judge {name} was trained from the same base as the {role}: it may prefer what that base writes"
        if exact:
            yield f"the judge {name} wrote training data of the {role}: it may prefer its own style"
        elif written:
            yield f"the judge {name} is of the family that wrote training data of the {role} ({_listed(written)})"


def _model(text: str) -> str:
    """The model's own name, without the way it is reached."""
    return text.rpartition("/")[2].casefold()


def _listed(found: Iterable[str]) -> str:
    return ", ".join(sorted(found))


def of_weights(name: str, fingerprint: str | None, folders: Iterable[Path | None]) -> Kin:
    """A local checkpoint: its manifests and its configuration say what it was made from, and whose words it learnt."""
    names: list[str] = [name]
    writers: list[str] = []
    made_from: set[str] = set()
    for folder in folders:
        if folder is None:
            continue
        names.append(_configured(folder))
        made = checkpoint.find(folder)
        if made is not None:
            bases = [base for base in (made.base, made.parent, made.merged_from) if base is not None]
            names += [made.name, *(base.spec for base in bases)]
            made_from |= {base.sha256 for base in bases}
            writers += _writers(made.recipe)
    return Kin(
        names=tuple(filter(None, names)),
        fingerprint=fingerprint,
        writers=tuple(dict.fromkeys(writers)),
        bases=frozenset(made_from),
    )


def _configured(folder: Path) -> str:
    """The name that transformers and PEFT keep in a model's configuration."""
    for file, key in (("config.json", "_name_or_path"), ("adapter_config.json", "base_model_name_or_path")):
        try:
            found = json.loads((folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and isinstance(found.get(key), str):
            return str(found[key])
    return ""


def _writers(recipe: Mapping[str, Any]) -> Iterator[str]:
    """Every `written_by` of a recipe's sources."""
    data = recipe.get("data")
    parts = [data, *data.get("mix", ())] if isinstance(data, Mapping) else []
    for part in parts:
        listed = part.get("written_by", ()) if isinstance(part, Mapping) else ()
        yield from (text for text in listed if isinstance(text, str))

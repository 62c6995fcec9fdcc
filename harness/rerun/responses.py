"""Holds a run's responses against where they came from: recorded files and the reply cache. Generates nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.collect import Found
from harness.errors import InputError
from harness.models.cache import ReplyCache, cache_key
from harness.models.contestant import Question, request_of
from harness.models.recorded import RecordedResponses, file_sha256, load_responses
from harness.models.spec import Spec
from harness.records import ResponseRecord
from harness.rerun.cached import cached_model
from harness.workshop import APIS
from judges.types import Request

# Where a local model may have answered: what it rounds to is part of its cache key.
_DEVICES = (("cpu", "float32"), ("cuda", "bfloat16"), ("mps", "float32"))


@dataclass(kw_only=True, slots=True)
class Checked:
    """Responses held against their source. `differences` are (what, was, now); `notes` what could not be held."""

    checked: int = 0
    unknown: int = 0
    differences: list[tuple[str, object, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_responses(found: Found, cache: ReplyCache) -> Checked:
    """Every response of a run against its recorded file, or against the cached reply."""
    result = Checked()
    sides: tuple[tuple[str, Spec], ...] = (("candidate", found.job.candidate), ("baseline", found.job.baseline))
    for role, spec in sides:
        records = [r for (_, side, _), r in sorted(found.responses.items()) if side == role and r.texts() is not None]
        if spec.kind == "recorded":
            _against_file(found, role, spec, records, result)
        else:
            _against_cache(found, role, spec, records, cache, result)
    return result


def _against_file(found: Found, role: str, spec: Spec, records: Sequence[ResponseRecord], result: Checked) -> None:
    was = found.manifest.get("fingerprints", {}).get(role)
    try:
        now = file_sha256(spec.path)
        if now != was:
            result.differences.append((f"{role}: {spec.text} is another file (SHA-256)", _short(was), _short(now)))
            return
        held: RecordedResponses = load_responses(spec.path, role, found.job.suite.prompts)  # type: ignore[arg-type]
    except InputError as error:
        result.unknown += len(records)
        result.notes.append(f"{role}: its responses cannot be held against {spec.text} ({error})")
        return
    for record in records:
        source = held.by_key.get((record.id, record.sample))
        _hold(record, source.texts() if source else None, role, result)


def _against_cache(
    found: Found, role: str, spec: Spec, records: Sequence[ResponseRecord], cache: ReplyCache, result: Checked
) -> None:
    prompts = {prompt.id: prompt for prompt in found.job.suite.prompts}
    lost = 0
    for record in records:
        if record.id not in prompts:
            continue
        prompt, texts = prompts[record.id], record.texts() or ()
        question = Question(prompt=prompt, sample=record.sample, sampling=found.job.sampling_of(prompt))
        cached: list[str] = []
        for turn in range(len(prompt.turns)):
            # The turns before are taken as they are on record, so that one edit is found once.
            request = request_of(question, texts[:turn], found.job.nonce)
            reply = _reply(found, role, spec, request, cache)
            if reply is None:
                break
            cached.append(reply)
        if len(cached) < len(prompt.turns):
            lost += 1
        else:
            _hold(record, tuple(cached), role, result)
    result.unknown += lost
    if lost:
        result.notes.append(
            f"{role}: the cache holds no reply to {lost} of {len(records)} responses; taken as they are"
        )


def _reply(found: Found, role: str, spec: Spec, request: Request, cache: ReplyCache) -> str | None:
    fingerprint = str(found.manifest.get("fingerprints", {}).get(role, ""))
    for identity in _identities(found, role, spec, request, fingerprint, cache):
        reply = cache.get(cache_key(identity, request))
        if reply is not None:
            return reply.text
    return None


def _identities(
    found: Found, role: str, spec: Spec, request: Request, fingerprint: str, cache: ReplyCache
) -> list[Mapping[str, object]]:
    """What may have answered, as a cache key names it."""
    if spec.kind in APIS:
        return [cached_model(spec, cache, url=fingerprint.removesuffix(f" {spec.rest}")).identity]
    same = role == "baseline" and fingerprint == found.manifest.get("fingerprints", {}).get("candidate")
    seed = found.job.suite.seed + (1 if same else 0) if request.sampling.temperature else 0
    return [
        {"provider": "hf", "weights": fingerprint, "device": device, "dtype": dtype, "seed": seed}
        for device, dtype in _DEVICES
    ]


def _hold(record: ResponseRecord, source: tuple[str, ...] | None, role: str, result: Checked) -> None:
    result.checked += 1
    # The journal cannot hold a lone surrogate; a reply may.
    source = source and tuple(text.encode("utf-8", "replace").decode() for text in source)
    if record.texts() != source:
        name = f"responses.jsonl ({record.id}, {role}, {record.sample}): text"
        result.differences.append((name, _first(record.texts()), _first(source)))


def _first(texts: tuple[str, ...] | None) -> str | None:
    return None if texts is None else " / ".join(texts)


def _short(sha256: object) -> str:
    return str(sha256)[:12]

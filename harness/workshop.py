"""Opens what a job needs: contestants and judges from their specs, each endpoint, cache and checkpoint once.

Checks everything that can be checked before the first call: files, keys, fingerprints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.errors import InputError
from harness.job import Job, distinct
from harness.judging import MODELS, fits, template_of
from harness.kinship import Kin, flags, of_weights
from harness.leakage import guard
from harness.models.anthropic import AnthropicModel
from harness.models.budget import Budget
from harness.models.cache import ReplyCache
from harness.models.client import ApiModel
from harness.models.contestant import Contestant, ModelContestant
from harness.models.limits import Limits
from harness.models.meter import Meter
from harness.models.openai import OpenAIModel
from harness.models.prices import prices, told
from harness.models.recorded import RecordedResponses, RecordedVerdicts, file_sha256, load_responses, load_verdicts
from harness.models.spec import Spec
from harness.models.weights import loadable, locate, require_extra
from harness.run import Bench, Cast
from harness.suite import Suite
from judges.build import Wanted, build
from judges.reward import Scorer
from judges.template import Template

APIS: dict[str, type[ApiModel]] = {"openai": OpenAIModel, "anthropic": AnthropicModel}
LOCAL = ("hf", "reward")
# Local models batch whatever waits for them: enough must wait to fill batches with rows of like length.
LOCAL_WORKERS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A contestant that stands in memory already (a model being trained), and what it is known by.

    `folders` are those of base and adapter, where the indexes of their training data lie; `standing` is what a reader
    must know of it.
    """

    contestant: Contestant
    fingerprint: str
    folders: guard.Weights
    standing: str


def wanted(spec: Spec, job: Job, asked: Any, found: Template | None) -> Wanted:
    """What a settled judge of a job is built from; `asked` is what it asks, `found` its template."""
    return Wanted(
        name=spec.text,
        rest=spec.rest,
        asked=asked,
        sampling=job.suite.judge_sampling,
        mode=spec.asking.mode,
        template=found,
        criteria=job.suite.criteria,
        margin=spec.asking.margin or 0.0,
        nonce=job.nonce,
    )


class Workshop:
    """Builds contestants and judges from specs, each endpoint, cache and checkpoint opened once.

    `weights` holds the folders of the local contestants by role.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        meter: Meter,
        say: Callable[[str], None],
        given: Mapping[str, Given] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.concurrency, self.meter, self._say, self._given = concurrency, meter, say, given or {}
        self.budget = budget or Budget()
        self._prices = prices()
        self.fingerprints: dict[str, str] = {}
        self.warnings: dict[str, list[str]] = {}
        self.weights: dict[str, guard.Weights] = {}
        self.folders: dict[str, tuple[Path, Path | None]] = {}
        self._cache: ReplyCache | None = None
        self._limits = Limits(concurrency=concurrency)
        self._models: dict[str, ApiModel] = {}

    @property
    def cache(self) -> ReplyCache:
        """The user's reply cache, opened at first use."""
        if self._cache is None:
            self._cache = ReplyCache.open(say=self._say)
        return self._cache

    def cast(self, job: Job) -> Cast:
        """Everyone a job needs. Raises InputError where a file, a key, a checkpoint or a budget's price is missing."""
        self.can_pay((job.candidate, job.baseline, *job.judges))
        candidate = self.contestant(job.candidate, "candidate", job.suite, job.nonce)
        baseline = self.contestant(job.baseline, "baseline", job.suite, job.nonce)
        benches = tuple(self.bench(spec, job) for spec in job.judges if spec.kind != "recorded")
        recorded = tuple(
            verdicts for spec in job.judges if spec.kind == "recorded" for verdicts in self._verdicts(spec)
        )
        cast = Cast(candidate=candidate, baseline=baseline, benches=benches, recorded=recorded)
        distinct(cast.names, "judge")
        return cast

    def can_pay(self, specs: Sequence[Spec]) -> None:
        """Raise InputError where a budget is kept and the price of one of these is not known."""
        if self.budget.limited:
            self._prices.require(specs)

    def contestant(self, spec: Spec, role: Any, suite: Suite, nonce: str) -> Contestant:
        """Who plays a role in a suite. Raises InputError where a file, a key or a checkpoint is missing."""
        if role in self._given:
            given = self._given[role]
            self.fingerprints[role], self.weights[role] = given.fingerprint, given.folders
            self.warnings[role] = [given.standing]
            return given.contestant
        if spec.kind == "recorded":
            self.fingerprints[role] = file_sha256(spec.path)
            return load_responses(spec.path, role, suite.prompts)
        return self.answering(spec, role, seed=suite.seed, nonce=nonce)

    def answering(self, spec: Spec, role: str, *, seed: int, nonce: str, cached: bool = True) -> Contestant:
        """A model as a contestant, behind an API or local; a local one without `cached` generates whatever it is asked.

        Raises InputError where a key or a checkpoint is missing.
        """
        if spec.kind == "hf":
            return self._local(spec, role, seed, nonce, cached=cached)
        model = self._model(spec)
        # Nobody sees the weights behind an API: its address and name are all there is to hold on to.
        self.fingerprints[role] = f"{model.url} {spec.rest}"
        return ModelContestant(model=model, concurrency=self.concurrency, nonce=nonce)

    def contestant_weights(self, spec: Spec, role: str) -> tuple[Path, Path | None]:
        """A local contestant's base and adapter, kept as its role's. Raises InputError where they cannot be loaded."""
        self.weights[role] = self._weights(spec, role)
        return self.weights[role]

    def _weights(self, spec: Spec, name: str) -> tuple[Path, Path | None]:
        """A local checkpoint's folders; its fingerprint and what is to be said of it are kept under `name`."""
        require_extra(repr(spec.text))
        base_text, adapter_text = spec.parts
        base = locate(base_text, spec.text)
        adapter = locate(adapter_text, spec.text) if adapter_text else None
        base_sha256 = checkpoint.fingerprint(base)
        problems = loadable(base, adapter, base_sha256)
        if problems:
            raise InputError(problems)
        self.fingerprints[name] = checkpoint.pair_fingerprint(
            base_sha256, checkpoint.fingerprint(adapter) if adapter else None
        )
        self.warnings[name] = _unfinished(base, adapter)
        self.folders[name] = (base, adapter)
        return base, adapter

    def _scorer(self, spec: Spec, nonce: str) -> Scorer:
        base, adapter = self._weights(spec, spec.text)
        from harness.models.reward import RewardScorer

        return RewardScorer(
            spec=spec.text,
            base=base,
            adapter=adapter,
            fingerprint=self.fingerprints[spec.text],
            cache=self.cache,
            meter=self.meter,
            nonce=nonce,
        )

    def _local(self, spec: Spec, role: str, seed: int, nonce: str, *, cached: bool) -> Contestant:
        base, adapter = self.contestant_weights(spec, role)
        from harness.models.huggingface import LocalContestant

        # A model that meets itself draws its samples apart; with one seed both sides would say the same.
        itself = role == "baseline" and self.fingerprints[role] == self.fingerprints.get("candidate")
        return LocalContestant(
            base=base,
            adapter=adapter,
            fingerprint=self.fingerprints[role],
            seed=seed + 1 if itself else seed,
            cache=self.cache if cached else None,
            meter=self.meter,
            nonce=nonce,
        )

    def bench(self, spec: Spec, job: Job) -> Bench:
        """A judge that is asked. Raises InputError where its key, its weights or the prompts' checks are missing."""
        suite = job.suite
        asked = self.asked(spec, job.nonce)
        found = template_of(spec)
        if found is not None:
            fits(found, suite.prompts, suite.criteria)
            self.fingerprints[f"template of {spec.text}"] = found.sha256
        judge = build(spec.kind, wanted(spec, job, asked, found))
        if spec.kind == "rubric" and not any(prompt.checks for prompt in suite.prompts):
            raise InputError(
                f"the rubric judge needs prompts with 'checks'; {suite.name!r} has none, so give another --judge"
            )
        return Bench(judge=judge, controls=spec.kind != "control", workers=self.workers(spec))

    def workers(self, spec: Spec) -> int:
        """How many questions to a judge may be under way at once."""
        if spec.kind in LOCAL:
            return LOCAL_WORKERS
        return self.concurrency if spec.kind in APIS else 1

    def asked(self, spec: Spec, nonce: str) -> Any:
        """What a judge asks: an API's model, a local one, a reward model; None where it asks nobody."""
        if spec.kind in APIS:
            return self._model(spec)
        if spec.kind == "reward":
            return self._scorer(spec, nonce)
        return self._judging(spec) if spec.kind == "hf" else None

    def _judging(self, spec: Spec) -> Any:
        """A local language model as a judge."""
        base, adapter = self._weights(spec, spec.text)
        from harness.models.local import LocalModel

        return LocalModel(
            spec=spec.text,
            base=base,
            adapter=adapter,
            fingerprint=self.fingerprints[spec.text],
            cache=self.cache,
            meter=self.meter,
        )

    def _verdicts(self, spec: Spec) -> tuple[RecordedVerdicts, ...]:
        self.fingerprints[spec.text] = file_sha256(spec.path)
        return load_verdicts(spec.path)

    def _model(self, spec: Spec) -> ApiModel:
        key = f"{spec.kind}@{spec.endpoint}/{spec.rest}"
        if key not in self._models:
            price = self._prices.of(spec)
            if price is not None:
                self._say(told(spec, price))
            self._models[key] = APIS[spec.kind].from_env(
                spec=spec.text,
                name=spec.endpoint,
                model=spec.rest,
                limits=self._limits,
                cache=self.cache,
                meter=self.meter,
                price=price,
                budget=self.budget,
            )
        return self._models[key]

    def kin(self, job: Job, cast: Cast) -> list[str]:
        """A sentence for every judge that is kin to a contestant."""
        contestants = {
            "candidate": self.kin_of(job.candidate, "candidate", cast.candidate),
            "baseline": self.kin_of(job.baseline, "baseline", cast.baseline),
        }
        judges = {spec.text: self.kin_of(spec, spec.text) for spec in job.judges if spec.kind in (*MODELS, "reward")}
        judges |= {verdicts.name: Kin(names=(verdicts.name,)) for verdicts in cast.recorded}
        return flags(judges, contestants)

    def kin_of(self, spec: Spec, name: str, contestant: Contestant | None = None) -> Kin:
        """Where a contestant or a judge comes from, as far as it is known; its weights are kept under `name`."""
        if isinstance(contestant, RecordedResponses):
            models = {record.model for record in contestant.by_key.values() if record.model}
            return Kin(names=tuple(sorted(models)))
        if name in self.folders:
            return of_weights(spec.rest, self.fingerprints.get(name), self.folders[name])
        return Kin(names=(spec.rest,))

    def notes(self, job: Job) -> list[str]:
        """What the reader must know of the contestants themselves."""
        said = [f"{role}: {warning}" for role, listed in self.warnings.items() for warning in listed]
        same = self.fingerprints.get("candidate") == self.fingerprints.get("baseline")
        if same and job.candidate.kind != "recorded":
            said.append("candidate and baseline are the same model; any difference is chance")
        return said

    async def aclose(self) -> None:
        """Close connections and the cache."""
        for model in self._models.values():
            await model.aclose()
        if self._cache is not None:
            self._cache.close()


def _unfinished(base: Path, adapter: Path | None) -> list[str]:
    """What manifests say that a reader must know: where training ended, and whose weights these are."""
    manifests = [checkpoint.find(path) for path in (base, adapter) if path is not None]
    return [made.standing for made in manifests if made is not None and made.standing is not None]

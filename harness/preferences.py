"""From the outcomes of a run to preference pairs: what was preferred by the judges that count, consistently.

A pair comes from a comparison whose two orders name the same winner at every counting judge that decided, and whose
judges do not contradict each other. Everything else is dropped and counted by reason; nothing is guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.outcome import Winner
from harness.records import JudgmentRecord, ResponseRecord
from judges.types import Prompt

REASONS = (
    "several turns",
    "a response is missing",
    "identical responses",
    "no usable verdict",
    "one order only",
    "orders disagree",
    "tie",
    "judges disagree",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """One pair in TRL's format. `chosen_role` and `judges` say where it comes from."""

    id: str
    prompt: str
    chosen: str
    rejected: str
    chosen_role: Winner
    judges: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The line of a preferences file."""
        return {
            "id": self.id,
            "prompt": self.prompt,
            "chosen": self.chosen,
            "rejected": self.rejected,
            "chosen_role": self.chosen_role,
            "judges": list(self.judges),
        }


def preferences(
    prompts: Sequence[Prompt],
    responses: Mapping[tuple[str, str, int], ResponseRecord],
    judgments: Iterable[JudgmentRecord],
    counting: Sequence[str],
) -> tuple[tuple[Preference, ...], Counter[str]]:
    """Every consistent pair in the order of the prompts, and how many comparisons were dropped, by reason."""
    by_pair: dict[tuple[str, int], list[JudgmentRecord]] = defaultdict(list)
    for judgment in judgments:
        if judgment.judge in counting:
            by_pair[judgment.id, judgment.repeat].append(judgment)
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    samples = sorted({(prompt, sample) for prompt, _, sample in responses})
    places = {prompt.id: place for place, prompt in enumerate(prompts)}
    known = [key for key in samples if key[0] in places]
    for prompt_id, sample in sorted(known, key=lambda key: (places[key[0]], key[1])):
        made = _pair(prompts[places[prompt_id]], sample, responses, by_pair[prompt_id, sample])
        if isinstance(made, str):
            dropped[made] += 1
        else:
            found.append(made)
    return tuple(found), dropped


def _pair(
    prompt: Prompt,
    sample: int,
    responses: Mapping[tuple[str, str, int], ResponseRecord],
    judgments: Sequence[JudgmentRecord],
) -> Preference | str:
    if len(prompt.turns) > 1:
        return "several turns"
    texts = {}
    for role in ("candidate", "baseline"):
        record = responses.get((prompt.id, role, sample))
        given = record.texts() if record is not None else None
        if given is None:
            return "a response is missing"
        texts[role] = given[0]
    if texts["candidate"] == texts["baseline"]:
        return "identical responses"
    winner, judges = agreed(judgments)
    if winner is None:
        return judges[0]
    loser = "baseline" if winner == "candidate" else "candidate"
    return Preference(
        id=prompt.id if sample == 0 else f"{prompt.id}#{sample}",
        prompt=prompt.turns[0],
        chosen=texts[winner],
        rejected=texts[loser],
        chosen_role=winner,
        judges=judges,
    )


def agreed(judgments: Sequence[JudgmentRecord]) -> tuple[Winner | None, tuple[str, ...]]:
    """The winner of one comparison and the judges that named it; or None and the reason there is none."""
    by_judge: dict[str, list[JudgmentRecord]] = defaultdict(list)
    for judgment in judgments:
        if judgment.winner is not None:
            by_judge[judgment.judge].append(judgment)
    if not by_judge:
        return None, ("no usable verdict",)
    votes: dict[str, Winner] = {}
    reasons: set[str] = set()
    for judge, rows in sorted(by_judge.items()):
        winners = {row.winner for row in rows}
        if len({row.order for row in rows}) < 2:
            reasons.add("one order only")
        elif len(winners) > 1:
            reasons.add("orders disagree")
        elif winners == {"tie"}:
            reasons.add("tie")
        else:
            votes[judge] = rows[0].winner  # type: ignore[assignment]
    if len(set(votes.values())) > 1:
        return None, ("judges disagree",)
    if not votes:
        return None, (next(reason for reason in REASONS if reason in reasons),)
    return next(iter(votes.values())), tuple(votes)

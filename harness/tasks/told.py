"""What a report has to say about a task's data, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.report.numerals import percent, plural
from harness.tasks.duplicates import contradicting
from harness.tasks.options import suspicious
from harness.tasks.split import Stratum
from harness.tasks.values import SPLITS, Item, SamePlace, Shared, Split, majority

_PLACES = ("first", "second", "third", "fourth", "fifth")
_NAMES: dict[Split, str] = {"train": "training", "validation": "validation", "test": "test"}


def place(found: SamePlace | None, seed: int | None, shown: Sequence[Item], head: str) -> list[str]:
    """Where the right options stand in the file, what that would score, and what it scores as the options are shown."""
    if found is None or not (found.always or suspicious(found)):
        return []
    where = _ordinal(found.letter)
    share = f"in all {found.n:,} questions" if found.always else f"in {percent(found.share, found.n)} of {found.n:,}"
    said = (
        f"In the file the right option stands {where} {share}: always answering {found.letter} would score "
        f"{percent(found.share, found.n)} (chance: {percent(found.chance, found.n)})."
    )
    if seed is None:
        return [f"{said} Options are shown in that order, so a score says little; give 'shuffle_seed'."]
    now = majority(shown, head)
    if now is None:
        return [said]
    return [
        f"{said} Options are shuffled per question (seed {seed}); the best fixed letter, {now[0]}, now scores "
        f"{percent(now[1], len(shown))} of {plural(len(shown), 'question')}."
    ]


def texts(shared: Sequence[Shared], items: Mapping[Split, Sequence[Item]]) -> list[str]:
    """Texts that stand in two splits."""
    said = []
    for found in shared:
        rows = items[found.split]
        first = next(item for item in rows if item.id == found.ids[0])
        trained = " Their figures are those of questions trained on." if found.other == "train" else ""
        said.append(
            f"{len(found.ids):,} of {len(rows):,} {_NAMES[found.split]} items have the text of a {_NAMES[found.other]} "
            f"item (first: {first.place}).{trained}"
        )
    return said


def labels(keyed: Iterable[tuple[str, Item]]) -> list[str]:
    """Texts that stand more than once, with different labels; items come with their `text_key`."""
    found = contradicting(keyed)
    if not found:
        return []
    one, other = found[0]
    many = "items repeat a text" if len(found) > 1 else "item repeats a text"
    return [f"{len(found):,} {many} with another label (first: {one.place} and {other.place})."]


def pooled(rare: Mapping[Stratum, int], least: float, of: str) -> list[str]:
    """Strata (`of` says what they are) too rare to stratify by."""
    if not rare:
        return []
    few = f"{least:g}" if float(least).is_integer() else f"{least:.1f}"
    names = "; ".join(" + ".join(name) or "none" for name in list(rare)[:3])
    return [
        f"{len(rare):,} {of} with fewer than {few} texts ({names}{', …' if len(rare) > 3 else ''}; "
        f"{sum(rare.values()):,} items) are too rare to stratify by and are spread over the splits as one."
    ]


def one_class(items: Mapping[Split, Sequence[Item]], heads: Mapping[str, Sequence[str]]) -> list[str]:
    """Splits in which all items have one label."""
    said = []
    for split in SPLITS[1:]:
        rows = items.get(split, ())
        for head in heads:
            if len(rows) > 1 and len({item.labels[head] for item in rows}) == 1:
                label = rows[0].labels[head]
                said.append(
                    f"All {len(rows):,} {split} items have the label {label!r} ({head}): always answering it scores "
                    "100 %."
                )
    return said


def _ordinal(letter: str) -> str:
    number = ord(letter) - ord("A")
    return _PLACES[number] if number < len(_PLACES) else f"as number {number + 1}"

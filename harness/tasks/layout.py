"""Which columns of a file are what: of GLUE and Recipe-MPR as published, of tables as the keys say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.tasks.keys import TaskKeys

GLUE_HUB = "nyu-mll/glue"
GLUE: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "sst2": ((("sentence",),), ("negative", "positive")),
    "rte": ((("premise", "hypothesis"), ("sentence1", "sentence2")), ("entailment", "not_entailment")),
    "mnli": ((("premise", "hypothesis"), ("sentence1", "sentence2")), ("entailment", "neutral", "contradiction")),
}
"""Text columns and labels. A label's place is GLUE's own number for it (the ClassLabel names of nyu-mll/glue)."""
GLUE_TEST = {"sst2": "validation", "rte": "validation", "mnli": "validation_matched"}
"""Which split of the hub is the test split here: GLUE's own test labels are not published."""
QUERY_TYPES = ("Specific", "Commonsense", "Negated", "Analogical", "Temporal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Columns by what they are.

    `text` holds the names that may be meant: the first of them whose columns all stand in the file. `label` is the
    column of every head, `labels` its set where it is known. An `optional_id` gives way to the row's number, counted
    from `first`. `strip` removes blanks around texts.
    """

    text: tuple[tuple[str, ...], ...]
    label: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    options_each: int | None = None
    id: str | None = None
    optional_id: bool = False
    first: int = 1
    slices: tuple[str, ...] = ()
    category: str | None = None
    cluster: str | None = None
    strip: bool = False


def layout(keys: TaskKeys) -> Layout:
    """The layout of what a task names."""
    if keys.glue is not None:
        text, labels = GLUE[keys.glue]
        # GLUE's own rows are numbered from 0 in `idx`.
        return Layout(
            text=text, label={"label": "label"}, labels={"label": labels}, id="idx", optional_id=True, first=0
        )
    if keys.recipe_mpr is not None:
        # Some of the published queries begin with a blank.
        return Layout(
            text=(("query",),),
            label={"answer": "answer"},
            options=("options",),
            options_each=5,
            slices=("query_type",),
            strip=True,
        )
    return Layout(
        text=(tuple(keys.text or ()),),
        label=dict(keys.label or {}),
        labels=keys.label_sets(),
        options=tuple(keys.options or ()),
        options_each=len(keys.options) if keys.options and len(keys.options) > 1 else None,
        id=keys.id,
        slices=tuple(keys.slices),
        category=keys.category,
        cluster=keys.cluster,
    )

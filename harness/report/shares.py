"""Rows of shares with their intervals, as the pages of classifications and matrices draw them (`shares.html.j2`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareRow:
    """One row: its name (perhaps a link), its strip, and a text with a smaller one below it for every column."""

    label: str
    strip: Markup | str
    cells: Sequence[tuple[str, str]]
    href: str | None = None
    note: str = ""
    kind: str = ""

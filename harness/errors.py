"""What can go wrong, and the exit code each failure has.

    HarnessError
    ├── InputError      2   wrong usage, suite, recipe or data; carries every problem of a file at once
    ├── RunStopped      4   no further call can succeed; what was done is kept and can be resumed
    └── CallFailed      -   one call was given up; the run records it and goes on
        └── TooLong     -   its question does not fit the model, so that asking again is no use

Every message is one sentence for a person: the place, the value found, the way out. No message holds a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong with an input: `path:line: what`. `line` counts from 1; None where no line is to blame."""

    path: str
    what: str
    line: int | None = None

    def __str__(self) -> str:
        # A newline inside a value would break "one problem a line".
        what = " ".join(self.what.splitlines())
        return f"{self.path}:{self.line}: {what}" if self.line is not None else f"{self.path}: {what}"


class HarnessError(Exception):
    """Anything this program says to its user instead of a traceback."""

    exit_code = 2


class InputError(HarnessError):
    """Input that cannot be used. `problems` holds every one that was found; str() is one a line."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem | str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RunStopped(HarnessError):
    """The run cannot go on: a provider refuses or cannot be reached, a disk is full."""

    exit_code = 4


class CallFailed(HarnessError):
    """One call was given up after its retries; it becomes `provider_error`."""

    exit_code = 4


class TooLong(CallFailed):
    """A question that does not fit what its model reads: a named state of that question alone.

    `tokens` are the question's, `max_tokens` what its answer was to have, `room` what the model takes; each None where
    nobody says.
    """

    def __init__(
        self, message: str, *, tokens: int | None = None, max_tokens: int | None = None, room: int | None = None
    ) -> None:
        super().__init__(message)
        self.tokens, self.max_tokens, self.room = tokens, max_tokens, room

    def at(self, place: str) -> TooLong:
        """The same, its sentence begun with where it was."""
        return TooLong(f"{place}: {self}", tokens=self.tokens, max_tokens=self.max_tokens, room=self.room)

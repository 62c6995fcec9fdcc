"""A gate's result as GitHub annotations: workflow commands on stdout, in which no text can end a command or begin one.

The grammar is `::error title=…::message`, with % and newline escaped everywhere, and : and , in a property too.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate import words
from harness.gate.result import GateResult
from harness.report.numerals import clean
from harness.stats.noninferiority import Outcome

COMMAND: dict[Outcome, str] = {"pass": "notice", "fail": "error", "inconclusive": "warning"}
# A line that begins so, after blanks, is taken for a command ("##[" is the older form).
_COMMANDS = ("::", "##[")


def render(result: GateResult) -> list[str]:
    """One command for the outcome, and one for every category that fails."""
    lines = [command(COMMAND[result.outcome], "regression gate", words.headline(result))]
    level = "error" if result.gate_categories else "warning"
    for name in result.failed:
        said = f"{name} has lost: {words.figures(result, result.categories[name].found)}"
        lines.append(command(level, f"regression gate: {name}", said))
    return lines


def refusal(problems: Sequence[str]) -> list[str]:
    """The commands where the input could not be used."""
    return [command("error", "regression gate", problem) for problem in problems]


def command(name: str, title: str, message: str) -> str:
    """One workflow command on one line."""
    escaped = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{name} title={escaped}::{_data(message)}"


def _data(text: str) -> str:
    # A carriage return, too, becomes a mark in clean text.
    return clean(text).replace("%", "%25").replace("\n", "%0A")


def inert(text: str) -> str:
    """Text for the same stdout in which no line is taken for a command, whatever a file's names are."""
    return "\n".join(f"'{line.lstrip()}" if line.lstrip().startswith(_COMMANDS) else line for line in text.split("\n"))

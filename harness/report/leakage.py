"""What a reader is told of leakage: how many prompts stand in training data, and what they do to the decision.

Where no training data are known there is nothing to tell; a run's notes say whose are not.
"""

from __future__ import annotations

from harness.leakage.guard import Finding
from harness.report.numerals import listed, plural
from harness.summary import Summary


def clean_line(summary: Summary) -> list[str]:
    """One sentence where the prompts were compared with training data and none was found there; else none."""
    if summary.leakage is None or summary.leakage.finding.ids:
        return []
    finding = summary.leakage.finding
    data = "what is known of the training data" if finding.unknown else "the training data"
    roles = _known(finding)
    whose = " or ".join(roles) if len(roles) > 1 else f"the {listed(roles)}"
    return [f"no prompt of {finding.prompts:,} stands in {data} of {whose} ({_compared(finding)})"]


def leaked_line(summary: Summary) -> list[str]:
    """How many prompts leaked, to whom and how closely, in one sentence; none where none did."""
    if summary.leakage is None or not summary.leakage.finding.ids:
        return []
    finding = summary.leakage.finding
    whose = ", ".join(f"the {role}'s {len(finding.seen.get(role, ())):,}" for role in _known(finding))
    counts = {"exactly": len(finding.exact), "nearly": len(finding.near)}
    how = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return [f"{_stand(finding)} in training data ({whose}; {how}; {_compared(finding)})"]


def leaked_ids(summary: Summary) -> str:
    """The leaked prompts by name, the exact ones first: "a, b, c, d, e, f and 4 more"."""
    return listed(summary.leakage.finding.ids) if summary.leakage is not None else ""


def turned_by_leakage(summary: Summary) -> list[str]:
    """That the decision would be another one without the leaked prompts, where it would."""
    leaked = summary.leakage
    if leaked is None or leaked.decision == summary.decision:
        return []
    count, of = len(leaked.finding.ids), plural(leaked.finding.prompts, "prompt")
    left = leaked.without.estimate.n + leaked.without.unscored
    would = f"“{leaked.decision}” ({leaked.reason if left else 'no prompt is left'}), not “{summary.decision}”"
    return [f"without the {count:,} of {of} that {_verb(count)} in training data, the decision would be {would}"]


def borne_leakage(summary: Summary) -> list[str]:
    """That prompts leaked where the decision bears it."""
    leaked = summary.leakage
    if leaked is None or not leaked.finding.ids or leaked.decision != summary.decision:
        return []
    them = "it" if len(leaked.finding.ids) == 1 else "them"
    return [f"{_stand(leaked.finding)} in training data; without {them} the decision is “{leaked.decision}” as well"]


def _stand(finding: Finding) -> str:
    count = len(finding.ids)
    return f"{count:,} of {plural(finding.prompts, 'prompt')} {_verb(count)}"


def _verb(count: int) -> str:
    return "stands" if count == 1 else "stand"


def _known(finding: Finding) -> list[str]:
    """The contestants some of whose training data are known."""
    return [role for role, examples in finding.checked.items() if examples is not None]


def _compared(finding: Finding) -> str:
    return f"{plural(finding.examples, 'example')} compared"

"""A gate's result as JUnit XML: one test case for all prompts and one for every category.

A failing or inconclusive category that is no part of the gate is a skipped test with its finding: a CI system that
counts failures must come to the same result as the exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.gate import words
from harness.gate.result import Category, GateResult
from harness.report.numerals import one_line

SUITE = "harness check"
_NONCHARACTERS = str.maketrans(dict.fromkeys((0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}"))


def render(result: GateResult) -> str:
    """The XML of a result."""
    cases = [_whole(result), *(_category(result, name, one) for name, one in result.categories.items())]
    return _document(cases)


def refusal(problems: Sequence[str]) -> str:
    """The XML where the input could not be used: one test case with an error."""
    case = _case("all prompts")
    _child(case, "error", problems[0] if problems else "", "\n".join(map(plain, problems)), kind="unusable input")
    return _document([case])


def plain(text: str) -> str:
    """Text on one line that XML can hold."""
    return one_line(text).translate(_NONCHARACTERS)


def _whole(result: GateResult) -> ET.Element:
    case = _case("all prompts")
    headline = words.headline(result)
    said = "\n".join([plain(headline), *(plain(note) for note in words.notes(result))])
    if result.overall == "fail":
        _child(case, "failure", headline, said, kind="regression")
    elif result.overall == "inconclusive":
        _child(case, "skipped", headline, said)
    else:
        ET.SubElement(case, "system-out").text = said
    return case


def _category(result: GateResult, name: str, one: Category) -> ET.Element:
    case = _case(f"category {name}")
    said = f"{words.WORD[one.outcome]}: {words.figures(result, one.found)}"
    if one.outcome == "fail" and result.gate_categories:
        _child(case, "failure", said, plain(said), kind="regression")
    elif one.outcome == "fail":
        _child(case, "skipped", f"FINDING, no part of the gate: {said}", plain(said))
    elif one.outcome == "inconclusive":
        _child(case, "skipped", said, plain(said))
    else:
        ET.SubElement(case, "system-out").text = plain(said)
    return case


def _case(name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": "harness.check", "name": plain(name), "time": "0"})


def _child(case: ET.Element, tag: str, message: str, text: str, *, kind: str | None = None) -> None:
    child = ET.SubElement(case, tag, {"message": plain(message)} | ({"type": kind} if kind else {}))
    child.text = text


def _document(cases: Sequence[ET.Element]) -> str:
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": SUITE, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": SUITE, **counts})
    suite.extend(cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'

"""Prompts as FastChat publishes them for MT-Bench: questions with turns, and reference answers in a file of their own.

A reference answer of the file comes before the one a question may carry inline; a turn without either has none. The
published files, their translations and folders that hold them are read as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Problem
from harness.records import read_lines
from judges.types import Prompt

QUESTIONS = "question.jsonl"
# Where a reference file lies beside the questions: FastChat's own folder, or a file of that name.
REFERENCES = ("reference_answer/*.jsonl", "reference_answer*.jsonl")


def load(path: Path, references: Path | None = None) -> tuple[list[Prompt], list[Problem]]:
    """The prompts of a question file, or of the folder that holds it, and every problem with them."""
    file = path / QUESTIONS if path.is_dir() else path
    found, problems = _references(file, references)
    prompts: dict[str, Prompt] = {}
    if not file.is_file():
        return [], [*problems, Problem(path=str(file), what="there is no such file; give FastChat's question.jsonl")]
    for line, value in read_lines(file):
        if isinstance(value, Problem):
            problems.append(value)
            continue
        prompt = _prompt(value, found)
        if isinstance(prompt, str):
            problems.append(Problem(path=str(file), line=line, what=prompt))
        elif prompt.id in prompts:
            problems.append(Problem(path=str(file), line=line, what=f"question_id {prompt.id} stands twice; keep one"))
        else:
            prompts[prompt.id] = prompt
    if not prompts and not problems:
        problems.append(Problem(path=str(file), what="holds no questions; add at least one line"))
    return list(prompts.values()), problems


def _prompt(value: Mapping[str, Any], references: Mapping[str, list[str]]) -> Prompt | str:
    """One question; a sentence where it is none."""
    number, turns = value.get("question_id"), value.get("turns")
    if isinstance(number, bool) or not isinstance(number, int | str):
        return f"'question_id' must be a number or a text, found {number!r}; add it"
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        return f"'turns' must be a list of at least one text, found {turns!r:.60}; add them"
    category = value.get("category")
    inline = value.get("reference")
    listed = [inline] if isinstance(inline, str) else inline if inline is not None else []
    if not isinstance(listed, list) or not all(text is None or isinstance(text, str) for text in listed):
        return f"'reference' must be a list of texts, one a turn, found {inline!r:.60}; mend it, or leave it out"
    told = references.get(str(number), [])
    for texts, where in ((told, "the reference file"), (listed, "'reference'")):
        if len(texts) > len(turns):
            return f"{where} has {len(texts)} texts for {len(turns)} turns; give one each"
    texts = [_first(told, place) or _first(listed, place) for place in range(len(turns))]
    return Prompt(
        id=str(number),
        turns=tuple(turns),
        category=category if isinstance(category, str) else None,
        reference=tuple(texts) if any(texts) else (),
    )


def _first(texts: Sequence[str | None], place: int) -> str:
    """The text at a place; nothing where there is none, or blanks alone."""
    text = texts[place] if place < len(texts) else None
    return text if text and text.strip() else ""


def _references(file: Path, given: Path | None) -> tuple[dict[str, list[str]], list[Problem]]:
    """The reference answers by question, from the file named or from the one that lies beside the questions."""
    if given is not None:
        beside = [given]
    else:
        beside = sorted({path for pattern in REFERENCES for path in file.parent.glob(pattern)})
    if len(beside) > 1:
        names = ", ".join(path.name for path in beside)
        what = f"several reference files lie beside it ({names}); name one: prompts: {{fastchat: …, references: FILE}}"
        return {}, [Problem(path=str(file), what=what)]
    found: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for path in beside:
        if not path.is_file():
            problems.append(Problem(path=str(path), what="there is no such file; check 'references'"))
            continue
        for line, value in read_lines(path):
            turns = _answer(value) if not isinstance(value, Problem) else None
            if isinstance(value, Problem):
                problems.append(value)
            elif turns is None:
                what = "is no reference answer; it needs 'question_id' and 'choices' with 'turns'"
                problems.append(Problem(path=str(path), line=line, what=what))
            elif str(value.get("question_id")) in found:
                what = f"question_id {value['question_id']} stands twice; keep one"
                problems.append(Problem(path=str(path), line=line, what=what))
            else:
                found[str(value.get("question_id"))] = turns
    return found, problems


def _answer(value: Mapping[str, Any]) -> list[str] | None:
    """The turns of an answer's first choice."""
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    turns = first.get("turns") if isinstance(first, Mapping) else None
    if value.get("question_id") is None or not isinstance(turns, list):
        return None
    return [text if isinstance(text, str) else "" for text in turns]

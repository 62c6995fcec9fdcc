"""The real judgments of ../shared/data as records of the contract; tests that use them skip where it is absent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not here")

BRIE = DATA / "brie_0_5b"
COMPREHENSIVE = "comprehensive_eval_0.5b_final_20251016_220256_CORRECTED_judged_"
BRIE_JUDGES = {
    "claude_rejudge": "20251021_203643",
    "gemini-2.0-flash-exp": "gemini_2_0_flash_exp_20251021_182324",
    "gemini-2.5-flash-lite": "gemini_2_5_flash_lite_20251021_182548",
    "gpt-4o": "gpt_4o_20251021_181849",
}
WINNER = {"A": "baseline", "B": "candidate", "TIE": "tie"}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def ended_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a journal whose writer was killed: what stands after the last line's end is none yet."""
    ended, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in ended.splitlines()]


def reference(folder: str) -> dict[str, Any]:
    return json.loads((DATA / folder / "reference.json").read_text(encoding="utf-8"))


def brie_rows(judge: str) -> list[dict[str, Any]]:
    return lines(BRIE / f"{COMPREHENSIVE}{BRIE_JUDGES[judge]}.jsonl")


def brie_winner(row: dict[str, Any]) -> str | None:
    """In these logs the label follows the model: A is the baseline wherever it was shown."""
    named = re.findall(r"^\W*winner:\W*(\w+)", row["judgment"], re.IGNORECASE | re.MULTILINE)
    return WINNER.get(named[-1].upper()) if named else None


def brie_record(row: dict[str, Any], judge: str, prompt: str, repeat: int) -> dict[str, Any]:
    winner = brie_winner(row)
    return {
        "id": prompt,
        "judge": judge,
        "order": "baseline_first" if row["presentation_order"] == "AB" else "candidate_first",
        "winner": winner,
        "status": "ok" if winner else "provider_error",
        "repeat": repeat,
        "category": row["config_name"],
        "reply": row["judgment"],
        "candidate_length": len(row["brie_response"]),
        "baseline_length": len(row["baseline_response"]),
    }


def brie_by_row(judge: str) -> list[dict[str, Any]]:
    """Every published row as a prompt of its own, as the logs counted."""
    return [brie_record(row, judge, f"row-{place}", 0) for place, row in enumerate(brie_rows(judge))]


def brie_prompts() -> dict[str, str]:
    """The 25 distinct prompts, by id."""
    texts = dict.fromkeys(row["prompt"] for row in brie_rows("gpt-4o"))
    return {f"p{place:02d}": text for place, text in enumerate(texts)}


def brie_samples() -> list[tuple[str, int, dict[str, Any]]]:
    """Every row as (prompt id, sample, row): rows of one prompt are its samples, in the order of the file."""
    ids = {text: name for name, text in brie_prompts().items()}
    seen: dict[str, int] = {}
    placed = []
    for row in brie_rows("gpt-4o"):
        prompt = ids[row["prompt"]]
        placed.append((prompt, seen.get(prompt, 0), row))
        seen[prompt] = seen.get(prompt, 0) + 1
    return placed


def brie_by_prompt(judge: str) -> list[dict[str, Any]]:
    """The same verdicts as judgments of 25 prompts with 57 samples.

    Where a pair of responses was judged twice in different orders, both are the two orders of its first sample.
    """
    records: list[dict[str, Any]] = []
    taken: dict[tuple[str, str, str, str], int] = {}
    for (prompt, sample, _), row in zip(brie_samples(), brie_rows(judge), strict=True):
        pair = (prompt, row["brie_response"], row["baseline_response"])
        other = {"AB": "BA", "BA": "AB"}[row["presentation_order"]]
        repeat = taken.pop((*pair, other), sample)
        taken[(*pair, row["presentation_order"])] = sample
        records.append(brie_record(row, judge, prompt, repeat))
    return records


def llmbar_records(subset: str, evaluator: str, strategy: str) -> list[dict[str, Any]]:
    """One evaluator's decisions; the candidate is the better output by the gold label."""
    records = []
    for row in lines(DATA / "llmbar" / subset / "decisions.jsonl"):
        if (row["evaluator"], row["strategy"]) != (evaluator, strategy):
            continue
        gold = str(row["label"])
        first = "2" if row["swap"] else "1"
        winner = None if row["winner"] is None else ("candidate" if str(row["winner"]) == gold else "baseline")
        records.append(
            {
                "id": row["index"],
                "judge": f"{evaluator}/{strategy}",
                "order": "candidate_first" if first == gold else "baseline_first",
                "winner": winner,
                "status": "ok" if winner else "invalid_parse",
            }
        )
    return records


def llmbar_judgments(subset: str) -> list[dict[str, Any]]:
    """Every evaluator's decisions and the gold label as a judge of its own; the candidate is output 1."""
    rows = lines(DATA / "llmbar" / subset / "decisions.jsonl")
    winners = {"1": "candidate", "2": "baseline"}
    records = [
        {
            "id": row["index"],
            "judge": f"{row['evaluator']}/{row['strategy']}",
            "order": "baseline_first" if row["swap"] else "candidate_first",
            "winner": winners.get(str(row["winner"])),
            "status": "ok" if row["winner"] is not None else "invalid_parse",
            "reply": row["completion"],
        }
        for row in rows
    ]
    gold = {row["index"]: winners[str(row["label"])] for row in rows}
    return records + [{"id": place, "judge": "human/gold", "winner": winner} for place, winner in gold.items()]


def faireval_judgments() -> list[dict[str, Any]]:
    """The evaluators' decisions and the human verdicts, ties among them; the candidate is ChatGPT."""
    folder = DATA / "faireval"
    winners = {"gpt35": "candidate", "vicuna-13b": "baseline"}
    records = [
        {
            "id": row["question_id"],
            "judge": f"{row['evaluator']}/{row['strategy']}",
            "order": "candidate_first" if row["shown_first"] == "gpt35" else "baseline_first",
            "winner": winners.get(row["winner"]),
            "status": "ok" if row["winner"] in winners else "invalid_parse",
            "category": row["category"],
            "reply": row["completion"],
        }
        for row in lines(folder / "llm_decisions_from_llmbar.jsonl")
    ]
    said = (folder / "review_gpt35_vicuna-13b_human.txt").read_text(encoding="utf-8").split()
    human = {"CHATGPT": "candidate", "VICUNA13B": "baseline", "TIE": "tie"}
    questions = lines(folder / "question.jsonl")
    return records + [
        {"id": row["question_id"], "judge": "human/faireval", "winner": human[word], "category": row["category"]}
        for row, word in zip(questions, said, strict=True)
    ]


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def brie_suite(folder: Path) -> Path:
    """A suite over the 25 prompts, both sides' responses and the three judges' verdicts as recorded files."""
    folder.mkdir(parents=True, exist_ok=True)
    first: dict[str, str] = {}
    for prompt, _, row in brie_samples():
        first.setdefault(prompt, row["config_name"].removesuffix("_domain"))
    write_lines(
        folder / "prompts.jsonl",
        [{"id": name, "prompt": text, "category": first[name]} for name, text in brie_prompts().items()],
    )
    for role, field in (("candidate", "brie_response"), ("baseline", "baseline_response")):
        rows = [{"id": name, "sample": sample, "response": row[field]} for name, sample, row in brie_samples()]
        write_lines(folder / f"{role}.jsonl", rows)
    judges = [judge for judge in BRIE_JUDGES if judge != "gemini-2.0-flash-exp"]
    write_lines(folder / "judgments.jsonl", [record for judge in judges for record in brie_by_prompt(judge)])
    path = folder / "brie.yaml"
    path.write_text(
        "name: brie-0.5b\nprompts: prompts.jsonl\n"
        "candidate: recorded/candidate.jsonl\nbaseline: recorded/baseline.jsonl\n"
        "judges: [recorded/judgments.jsonl, control/longest, control/first]\n"
    )
    return path

"""The loop that a run is measured against: the same requests through the same SDK, and nothing else.

`python -m tests.bench.bare SUITE CONCURRENCY` reads the suite, builds every request that a run would send, and asks.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import openai

from harness import suite as suites
from harness.models.recorded import load_responses
from harness.outcome import slots
from harness.plan import presentations
from judges.pairwise import VERDICT
from judges.template import load
from judges.types import Presentation


async def ask_all(path: Path, concurrency: int) -> int:
    suite = suites.load(path)
    sides = [
        load_responses(path.parent / f"{role}.jsonl", role, suite.prompts).by_key for role in ("candidate", "baseline")
    ]
    template = load()
    client = openai.AsyncOpenAI(max_retries=0)
    gate = asyncio.Semaphore(concurrency)
    form = {"name": VERDICT.name, "description": VERDICT.description, "strict": True, "schema": VERDICT.schema}

    async def one(cell) -> None:
        a, b = slots(*(side[cell.prompt.id, 0].texts() for side in sides), cell.order)
        messages = template.messages(Presentation(prompt=cell.prompt, a=a, b=b))
        async with gate:
            await client.chat.completions.create(
                model="judge",
                messages=[{"role": m.role, "content": m.content} for m in messages],
                temperature=0.0,
                max_tokens=1024,
                response_format={"type": "json_schema", "json_schema": form},
            )

    cells = presentations(suite.prompts, {prompt.id: 1 for prompt in suite.prompts}, suite.orders, suite.seed)
    await asyncio.gather(*(one(cell) for cell in cells))
    return len(cells)


if __name__ == "__main__":
    print(asyncio.run(ask_all(Path(sys.argv[1]), int(sys.argv[2]))))

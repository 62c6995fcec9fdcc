"""The server as a process of its own, for benchmarks and kill tests: `python -m tests.loopback --latency 0.05`.

Prints its address as the first line. `--faults` takes a JSON list of faults, as in
`[{"kind": "rate_limit", "every": 50, "retry_after": "0"}]`. With `--parent PID` it ends when that process does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
from collections.abc import Sequence

from tests.loopback.faults import Fault
from tests.loopback.policy import BY_NAME
from tests.loopback.server import Loopback, run_until_cancelled


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--policy", choices=sorted(BY_NAME), default="first")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--capacity", type=int, default=None)
    parser.add_argument("--faults", default="[]", help="a JSON list of faults")
    parser.add_argument("--parent", type=int, default=None, help="end when this process does")
    return parser.parse_args(given)


async def main(chosen: argparse.Namespace) -> None:
    """Serve until the process is told to end."""
    server = Loopback(
        policy=BY_NAME[chosen.policy],
        faults=[Fault(**fault) for fault in json.loads(chosen.faults)],
        latency_s=chosen.latency,
        capacity=chosen.capacity,
        port=chosen.port,
    )
    serving = asyncio.create_task(run_until_cancelled(server, lambda url: print(url, flush=True)))
    while not serving.done() and (chosen.parent is None or _lives(chosen.parent)):
        await asyncio.wait([serving], timeout=1.0)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(arguments()))

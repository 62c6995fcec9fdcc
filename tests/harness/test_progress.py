"""Progress says rate, time left, cache hits, failures, tokens and cost; an unknown cost is called so."""

import os
import pty
import re
import subprocess

from harness.models.meter import Meter
from harness.progress import Plain, tally
from tests.command import command, environment, world
from tests.loopback import policy
from tests.loopback.server import Loopback


def test_the_tally_names_only_what_happened():
    assert tally(Meter()) == ""
    assert tally(Meter(hits=3, failures=1, retries=2)) == "3 cached · 1 failed · 2 retried"
    assert tally(Meter(requests=1, input_tokens=900, output_tokens=100, cost_usd=0.25)) == "1,000 tokens · $0.25"
    assert tally(Meter(requests=1, cost_usd=None)) == "0 tokens · cost unknown"


def test_plain_lines_begin_and_end_a_stage(capsys):
    progress = Plain(Meter())
    progress.stage("judgments", 3)
    for _ in range(3):
        progress.advance()
    progress.moved("base", 1, 2)
    progress.stage("nothing to do", 4, 4)
    assert capsys.readouterr().err.splitlines() == ["judgments: 0/3", "judgments: 3/3", "base: 1/2"]


def test_a_terminal_sees_bars_with_rate_and_tally(tmp_path):
    with Loopback(policy=policy.longest, latency_s=0.02) as server:
        env = environment(tmp_path, server.url) | {"TERM": "xterm-256color", "COLUMNS": "100"}
        ours, theirs = pty.openpty()
        arguments = command("run", world(tmp_path, 30), "--out", tmp_path / "run", "--concurrency", "4")
        process = subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            shown += more
        process.wait(30)
        os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"judgments\s+━+\s+60/60\s+[\d.]+/s", text), text[-2000:]
    assert "tokens · cost unknown" in text

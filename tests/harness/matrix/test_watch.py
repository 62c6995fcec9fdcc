"""The live table of a matrix: whole lines on any terminal, the running cell always among what is shown."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.matrix.run import Standing
from harness.matrix.suite import FAMILIES, Cell
from harness.matrix.watch import shown

ROOT = Path(__file__).resolve().parents[3]
MODES = ("fine-tune", "zero-shot", "few-shot", "lora")


def cells(tasks, models=5):
    """Encoders first, then language models, as a matrix orders them."""
    return [
        Cell(model=f"model-{number}-of-some-size", task=f"task{task}", mode=mode)
        for task in range(tasks)
        for number in range(models)
        for mode in MODES
        if FAMILIES[mode] == ("encoder" if number < 2 else "language")
    ]


def standings(tasks, running, models=5):
    found = {}
    for place, cell in enumerate(cells(tasks, models)):
        done = Standing(state="done", seconds=3.0, accuracy=0.9124, ci=(0.882, 0.938))
        found[cell] = done if place < running else Standing(state="running" if place == running else "waiting")
    return found


def test_the_thirty_cells_of_the_log_fit_eighty_columns_with_every_task():
    lines = shown(standings(3, 25), "model · task · mode: predictions 3/100", 80, 24)
    assert lines[0].split() == ["%", "right,", "±", "95", "%", "task0", "task1", "task2"]
    assert lines[1].split() == ["model-0-of-some-size", "fine-tune", *["91.2", "±2.8"] * 3]
    assert len(lines) == 1 + 11 + 3
    assert lines[-2:] == [
        "25 of 33 cells done, about 24 s left",
        "model · task · mode: predictions 3/100",
    ]


@given(st.integers(1, 14), st.integers(2, 9), st.data(), st.integers(30, 140), st.integers(10, 60))
def test_every_terminal_shows_whole_lines_and_the_running_cell(tasks, models, data, width, height):
    running = data.draw(st.integers(0, len(cells(tasks, models)) - 1))
    found = standings(tasks, running, models)
    lines = shown(found, "x" * 300, width, height)
    assert len(lines) < height
    assert all(cell_len(line) <= width for line in lines)
    now = list(found)[running]
    assert now.task in lines[0].split()
    assert any(line.startswith(now.model[:10]) for line in lines[1:])


def test_what_is_not_shown_is_counted():
    lines = shown(standings(12, 100), "", 80, 12)
    assert any("9 tasks and 4 rows not shown" in line for line in lines)


def test_names_in_wide_characters_are_cut_by_columns():
    cell = Cell(model="模型" * 40, task="任务" * 20, mode="lora")
    lines = shown({cell: Standing(state="running")}, "", 80, 24)
    assert all(cell_len(line) <= 80 for line in lines)


def test_nothing_yet_is_no_error():
    assert shown({}, "", 80, 24)[-1] == "0 of 0 cells done"


SCRIPT = """
import sys
from pathlib import Path
from harness.matrix.run import Standing
from harness.matrix.watch import Log, watching
from tests.harness.matrix.test_watch import standings
with watching(Log(Path(sys.argv[1]))) as watch:
    for running in (0, 40, 79):
        found = standings(8, running)
        watch.update(found)
        watch.stage(list(found)[running], "predictions", 100, 100)
"""


@pytest.mark.parametrize("columns", [80, 60])
def test_a_real_terminal_is_never_wider_than_it_is(tmp_path, columns):
    (tmp_path / "show.py").write_text(SCRIPT)
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        clean |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        os.execve(sys.executable, [sys.executable, str(tmp_path / "show.py"), str(tmp_path / "log")], clean)
    said = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    assert os.waitpid(child, 0)[1] == 0, said.decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).replace("\r", "\n")
    lines = plain.split("\n")
    assert max(map(cell_len, lines)) <= columns
    assert any(line.startswith("79 of 88 cells done") for line in lines)
    assert any("model-3-of-some-size" in line for line in lines)

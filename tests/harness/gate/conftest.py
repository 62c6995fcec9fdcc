"""Runs for the gate, made once for all tests of a worker."""

from pathlib import Path

import pytest

from tests.harness.contrast import made


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run whose candidate wins on nine of ten of 40 prompts, and one whose candidate wins on four of ten."""
    folder = tmp_path_factory.mktemp("runs")
    return made.run(folder / "good", better=0.9), made.run(folder / "bad", better=0.4)

"""Finished runs, made once for all tests of a worker."""

from pathlib import Path

import pytest

from tests.harness.contrast import made


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run whose candidate wins on half of 40 prompts, and one whose candidate wins on nine of ten."""
    folder = tmp_path_factory.mktemp("runs")
    return made.run(folder / "a", better=0.5), made.run(folder / "b", better=0.9)


@pytest.fixture(scope="session")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two score runs of 12 prompts by two judges on 1–10, beside one baseline; the second's candidate is better."""
    return made.graded(tmp_path_factory.mktemp("graded"))

"""What the tests of encoders' training share."""

import gc
from pathlib import Path

import pytest

from tests import encoders


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers with dropout."""
    return _base(tmp_path_factory, 0.1)


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without dropout."""
    return _base(tmp_path_factory, 0.0)


def _base(tmp_path_factory: pytest.TempPathFactory, dropout: float) -> Path:
    made = encoders.base(tmp_path_factory.mktemp("base") / "base", dropout=dropout)
    # Every training asks the collector to look through everything, which would take as long as the training.
    gc.freeze()
    return made

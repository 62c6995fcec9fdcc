"""What the training tests share: a small base, and the process that real commands are forked from."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny
from tests.train.forked import Stem, import_all

# Read when the libraries are imported: nothing here may wait for a hub, or spin while other workers have the cores.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the datasets library keep what it reads in a folder of this test."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two layers with a chat template."""
    import_all()
    return tiny.checkpoint(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="session")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stem]:
    """Starts real `harness` processes."""
    found = Stem(tmp_path_factory.mktemp("stem"))
    yield found
    found.end()

"""What tests share: the embedded checkpoints, built once a session and shared by all workers."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def embedded_checkpoints() -> Path:
    """The folder of the embedded checkpoints; its recipes are built where they are not there yet.

    A recipe's hash names its checkpoint, so that a folder that is kept between sessions is never stale.
    """
    from train.build import ensure

    folder = Path(os.environ.get("HARNESS_CHECKPOINTS") or ROOT / "checkpoints").resolve()
    for name in ("kitchen_lora", "kitchen_reward"):
        ensure(ROOT / f"train/recipes/{name}.yaml", checkpoints=folder, on_progress=lambda stage, done, total: None)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the file that trains the embedded checkpoints begin first: the other worker has enough to do meanwhile."""
    items.sort(key=lambda item: item.path != ROOT / "tests/harness/test_embedded.py")

"""What tests share: the embedded checkpoints, built once a session and shared by all workers."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from harness.process import patient_threads

# Before torch is first imported. The workers share the cores; recipes say how many threads they train with.
patient_threads()
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `make test` looks at fewer examples of each law than `make chaos`.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

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


# The files that take longest, in the order in which they should begin; a file goes to one worker as a whole.
LONG = (
    "tests/train/test_resume.py",
    "tests/train/test_verb.py",
    "tests/harness/rank/test_robin.py",
    "tests/train/test_kinds.py",
    "tests/train/test_loop.py",
    "tests/harness/test_run.py",
    "tests/harness/scoring/test_runs.py",
    "tests/harness/scoring/test_bad_replies.py",
    "tests/harness/models/test_local.py",
    "tests/harness/audit/test_verb.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first, so that no worker is left alone with one of them."""
    places = {ROOT / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))

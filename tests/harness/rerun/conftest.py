"""A finished run by judges of every kind, and copies of it to be tampered with."""

import shutil

import pytest

from tests.harness.rerun.made import finished, steady
from tests.published import write_lines


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with a complete run by a model, the rubric, recorded verdicts and known biases; its server is gone."""
    place = tmp_path_factory.mktemp("made")
    verdicts = [
        {"id": f"p{n:03d}", "judge": "old", "order": "candidate_first", "verdict": "AB"[n % 2], "status": "ok"}
        for n in range(12)
    ]
    write_lines(place / "verdicts.jsonl", verdicts)
    judges = "[openai/judge, rubric, recorded/verdicts.jsonl, control/random, control/longest]"
    with steady() as server:
        finished(place, server, 12, judges=judges)
    (place / "url").write_text(server.url)
    return place


@pytest.fixture
def run(made, tmp_path):
    """A copy of it, to be tampered with; recorded files and cache are the copy's own."""
    place = shutil.copytree(made, tmp_path / "made")
    path = place / "run" / "manifest.json"
    path.write_text(path.read_text().replace(str(made), str(place)))
    return place / "run"

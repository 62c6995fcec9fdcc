"""A matrix by the real command, its one model behind an API: resumed, edited, moved, gated."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.matrix.verb import _leakage_gate
from tests.command import environment, harness
from tests.harness.matrix.made import made
from tests.loopback import Loopback
from tests.loopback.policy import texts
from tests.published import lines, write_lines

WORDS = ("cold", "hot")


def suite(folder, **changes):
    """One task, one model that is asked in two modes."""
    folder.mkdir(exist_ok=True)
    rows = [{"id": f"d{place:02}", "text": f"dish {place}", "label": WORDS[place % 2]} for place in range(24)]
    write_lines(folder / "test.jsonl", rows)
    write_lines(folder / "train.jsonl", [{**row, "id": f"t{row['id']}", "text": f"a {row['text']}"} for row in rows])
    files = {"train": "train.jsonl", "test": "test.jsonl"}
    keys = {
        "name": "small",
        "kind": "matrix",
        "tasks": {"dishes": {"task": {"files": files, "text": "text", "label": "label", "id": "id"}}},
        "models": {"api": {"language": "openai/small"}},
        "modes": {"zero-shot": {"method": {"mode": "generation"}}, "few-shot": {"method": {"mode": "generation"}}},
    }
    path = folder / "suite.yaml"
    path.write_text(json.dumps(keys | changes))
    return path


def answers(request):
    """Right on three of four."""
    number = int(texts(request)[-1].split("dish ")[-1].split()[0])
    return WORDS[(number + (number % 4 == 3)) % 2]


@pytest.fixture
def server():
    with Loopback(policy=answers) as running:
        yield running


def forgotten(run):
    """The second cell as if it had never been run; returns its name."""
    first, second = (run / "cells.jsonl").read_text().splitlines()
    (run / "cells.jsonl").write_text(first + "\n")
    name = json.loads(second)["cell"]
    for path in sorted((run / "cells" / name).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (run / "cells" / name).rmdir()
    return name


def test_a_cell_whose_folder_was_deleted_is_run_again(tmp_path, server):
    env, run = environment(tmp_path, server.url), tmp_path / "run"
    first = harness("run", suite(tmp_path / "s"), "--out", run, "--json", env=env)
    assert (first.code, first.json["complete"]) == (0, True), first.err
    forgotten(run)
    begun = len(server.requests)
    again = harness("resume", run, "--json", env=env)
    assert (again.code, again.json["complete"]) == (0, True), again.err
    assert [one["accuracy"] for one in again.json["cells"]] == [one["accuracy"] for one in first.json["cells"]]
    # The replies of the deleted cell were paid for, and are in the cache.
    assert len(server.requests) == begun


def test_items_that_changed_between_two_cells_fail_the_second(tmp_path, server):
    env, run, path = environment(tmp_path, server.url), tmp_path / "run", suite(tmp_path / "s")
    assert harness("run", path, "--out", run, env=env).code == 0
    forgotten(run)
    rows = lines(tmp_path / "s/test.jsonl")
    write_lines(tmp_path / "s/test.jsonl", [{**row, "label": WORDS[0]} if row["id"] == "d01" else row for row in rows])
    done = harness("resume", run, env=env)
    assert done.code == 4
    assert "the items of 'dishes' have changed since api · dishes · zero-shot was run" in " ".join(done.err.split())


def test_cells_that_were_asked_other_items_are_named(tmp_path, server):
    env, run = environment(tmp_path, server.url), tmp_path / "run"
    assert harness("run", suite(tmp_path / "s"), "--out", run, env=env).code == 0
    manifest = run / "cells/api__dishes__few-shot/run/manifest.json"
    value = json.loads(manifest.read_text())
    value["task"]["sha256"] = "0" * 64
    value["fingerprints"]["candidate"] = "another"
    manifest.write_text(json.dumps(value))
    said = " ".join(harness("analyze", run, env=env).out.split())
    assert "the cells of 'dishes' were asked different items: their figures do not compare" in said
    assert "the cells of 'api' were asked of different weights" in said


def test_predictions_that_were_edited_are_named(tmp_path, server):
    env, run = environment(tmp_path, server.url), tmp_path / "run"
    assert harness("run", suite(tmp_path / "s"), "--out", run, env=env).code == 0
    path = run / "cells/api__dishes__few-shot/run/predictions.jsonl"
    write_lines(path, lines(path)[:-3])
    said = " ".join(harness("analyze", run, env=env).out.split())
    assert "api · dishes · few-shot: predictions.jsonl changed after the cell was run" in said
    assert "21 predictions stand where its figures are of 24" in said


def test_a_cell_s_own_doubts_are_told(tmp_path):
    with Loopback(policy=lambda request: "hot") as server:
        env = environment(tmp_path, server.url)
        done = harness("run", suite(tmp_path / "s"), "--out", tmp_path / "run", env=env)
    assert done.code == 0
    assert "api · dishes · zero-shot: collapsed: every prediction is 'hot'" in " ".join(done.out.split())


def test_a_suite_that_was_edited_is_not_gone_on_with_in_silence(tmp_path, server):
    env, run, path = environment(tmp_path, server.url), tmp_path / "run", suite(tmp_path / "s")
    assert harness("run", path, "--out", run, env=env).code == 0
    assert "has been edited" not in harness("resume", run, env=env).err
    suite(tmp_path / "s", seed=9)
    assert "suite.yaml has been edited since this matrix began" in harness("resume", run, env=env).err


def test_a_template_beside_the_suite_is_found_by_every_cell(tmp_path, server):
    env, path = environment(tmp_path, server.url), suite(tmp_path / "s")
    keys = json.loads(path.read_text())
    keys["tasks"]["dishes"]["template"] = "my.md"
    path.write_text(json.dumps(keys))
    (tmp_path / "s/my.md").write_text("=== item ===\nWhich is it, cold or hot?\nText: {{ text }}\nLabel:\n")
    done = harness("run", path, "--out", tmp_path / "run", env=env)
    assert done.code == 0, done.err
    assert "Which is it" in texts(server.bodies[0])[-1]


def test_the_gate_on_leakage_is_a_matrix_s_too(tmp_path, server):
    env, path = environment(tmp_path, server.url), suite(tmp_path / "s")
    done = harness("run", path, "--out", tmp_path / "run", "--fail-on-leakage", env=env)
    # Nothing is known of what a model behind an API was trained on.
    assert done.code == 3
    assert "leakage cannot be told" in done.err
    results = tmp_path / "run/cells/api__dishes__few-shot/run"
    assert json.loads((results / "results.json").read_text()).get("leakage") is None


@pytest.mark.parametrize(("ids", "code"), [([], 0), (["i1", "i2"], 1)])
def test_leaked_items_of_a_cell_fail_the_gate(capsys, ids, code):
    whole = made(failed=())
    first, *rest = whole.rows
    known = replace(whole, rows=(replace(first, figures={**first.figures, "leakage": {"ids": ids}}), *rest))
    assert _leakage_gate(known) == code
    assert (f"{first.cell}: 2 items" in capsys.readouterr().err) == bool(ids)

"""The built wheel works away from the checkout: the core alone, and beside the packages that were tested."""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from harness import suite as suites
from tests.command import environment
from tests.loopback import policy
from tests.loopback.server import Loopback
from tests.published import write_lines

ROOT = Path(__file__).resolve().parents[1]

# Training the embedded checkpoints from nothing takes minutes on a slow machine.
pytestmark = [pytest.mark.embedded, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("judge_harness-*.whl")
    return built


def fresh(folder):
    """An empty virtual environment; its `bin`."""
    venv.create(folder, with_pip=True)
    return folder / "bin"


def run(program, *arguments, env, cwd):
    done = subprocess.run(
        [str(program), *map(str, arguments)], env=env, cwd=cwd, capture_output=True, text=True, timeout=800, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def recorded(folder):
    """Responses to a bundled suite's prompts: references on one side, a short refusal on the other."""
    prompts = suites.load(suites.locate("in_domain")).prompts
    one = [{"id": p.id, "response": (p.reference or ("",))[0]} for p in prompts]
    two = [{"id": p.id, "response": f"I would rather not cook for request {p.id} today."} for p in prompts]
    return write_lines(folder / "one.jsonl", one), write_lines(folder / "two.jsonl", two)


def test_the_core_alone_judges_a_bundled_suite(wheel, tmp_path):
    binaries = fresh(tmp_path / "core")
    pip = [str(binaries / "pip"), "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, env=dict(os.environ) | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    listed = subprocess.run(
        [str(binaries / "pip"), "list", "--format=json"], check=True, capture_output=True, text=True
    )
    installed = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert {"openai", "anthropic", "statsmodels"} <= installed
    assert not {"torch", "transformers", "peft", "trl", "datasets", "matplotlib"} & installed

    one, two = recorded(tmp_path)
    with Loopback(policy=policy.longest) as server:
        env = environment(tmp_path, server.url)
        arguments = ("run", "in_domain", "--candidate", f"recorded/{one}", "--baseline", f"recorded/{two}", "--json")
        judges = ("--judge", "rubric", "--judge", "openai/x", "--judge", "anthropic/y")
        done = run(binaries / "harness", *arguments, *judges, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["judges"]["rubric"]["wins"] > 60

    lacking = run(binaries / "harness", "run", "in_domain", env=environment(tmp_path), cwd=tmp_path)
    assert lacking.returncode == 2
    assert "needs torch, transformers" in lacking.stderr
    assert "pip install 'judge-harness[train]'" in lacking.stderr


def test_beside_the_tested_packages_it_runs_the_default_by_name(wheel, tmp_path, embedded_checkpoints):
    binaries = fresh(tmp_path / "whole")
    subprocess.run(
        [str(binaries / "pip"), "install", "--quiet", "--no-deps", str(wheel)], check=True, capture_output=True
    )
    (packages,) = (tmp_path / "whole").glob("lib/python*/site-packages")
    # The tested packages come after the wheel; this checkout's own entry does not come along.
    tested = [path for path in site.getsitepackages() if Path(path).exists()]
    (packages / "tested.pth").write_text("\n".join(tested) + "\n")
    env = environment(tmp_path) | {"HARNESS_CHECKPOINTS": str(embedded_checkpoints)}
    where = run(binaries / "python", "-c", "import harness; print(harness.__file__)", env=env, cwd=tmp_path)
    assert where.stdout.startswith(str(tmp_path))
    done = run(binaries / "harness", "run", "in_domain", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["decision"] == "better"
    assert len(list(tmp_path.glob("runs/in_domain/*/report.html"))) == 1

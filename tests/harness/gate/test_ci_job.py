"""The CI job that README shows: its YAML parses, and every command and option in it exists."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.command import environment, harness

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
JOBS = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "harness check" in block]


@pytest.mark.skipif(not JOBS, reason="README shows no job with a gate")
def test_the_job_of_the_readme_runs_commands_that_there_are(tmp_path):
    steps = [step for block in JOBS for job in yaml.safe_load(block)["jobs"].values() for step in job["steps"]]
    lines = [line for step in steps for line in step.get("run", "").replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("harness ")]
    assert any(command[1] == "check" for command in commands)
    for _, verb, *rest in commands:
        done = harness(verb, "--help", env=environment(tmp_path) | {"COLUMNS": "200"})
        assert done.code == 0
        for option in (word for word in rest if word.startswith("--")):
            assert option in done.out, (verb, option)

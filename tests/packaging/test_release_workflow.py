"""The workflow that publishes a release is safe by zizmor's rules, and runs commands that exist."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import yaml

import tasks
from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import needs_program

FILE = ROOT / ".github" / "workflows" / "release.yml"
ZIZMOR = str(Path(sysconfig.get_path("scripts"), "zizmor"))


def zizmor(file: Path) -> subprocess.CompletedProcess[str]:
    strictly = ["--offline", "--no-config", "--no-progress", "--persona=pedantic"]
    return subprocess.run(
        [needs_program(ZIZMOR), *strictly, file], capture_output=True, text=True, check=False
    )


def test_no_rule_for_safe_workflows_is_broken(tmp_path: Path) -> None:
    judged = zizmor(FILE)
    assert judged.returncode == 0, judged.stdout
    loose = tmp_path / "release.yml"
    text = FILE.read_text("utf-8")
    loose.write_text(text.replace("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7"), "utf-8")
    assert "unpinned-uses" in zizmor(loose).stdout


def test_each_command_of_ours_that_it_runs_exists() -> None:
    jobs = yaml.safe_load(FILE.read_text("utf-8"))["jobs"]
    runs = [step["run"].split() for job in jobs.values() for step in job["steps"] if "run" in step]
    named = {run[2] for run in runs if run[:2] == ["python3", "tasks.py"]}
    assert {"audit", "sbom"} == named <= tasks.COMMANDS.keys()
    assert ["bash", ".ci/run"] in runs


def test_only_the_job_that_publishes_can_prove_who_it_is() -> None:
    jobs = yaml.safe_load(FILE.read_text("utf-8"))["jobs"]
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert jobs["publish"]["environment"] == "pypi"
    assert not any("run" in step for step in jobs["publish"]["steps"])

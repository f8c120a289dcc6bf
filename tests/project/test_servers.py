"""A test run names the tests that it skips, and CI skips none."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import postgres
from tests.support.fresh_copy import ROOT

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The project's commands, on a machine without the programs that the tests start."""
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SERVERS", {"some-server": ["no-such-program", "/no/such/*"]})
    return module


@pytest.mark.parametrize("ci", ["", "true"])
def test_without_postgres_a_test_is_skipped_by_name_and_in_ci_it_fails(
    monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    monkeypatch.setattr(postgres, "installed", lambda: None)
    monkeypatch.setenv("CI", ci)
    left_out = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(left_out, match="Postgres is not installed"):
        postgres.programs()


def test_the_ci_script_sets_the_variable_ci() -> None:
    said = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert said.index("export CI=true") < said.index("python3 tasks.py test")


def test_a_user_who_may_not_install_is_told_which_tests_are_skipped(
    tasks: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    tasks.install_servers()
    assert "Not installed: some-server." in capfd.readouterr().out


def test_root_installs_the_package_that_is_missing(
    tasks: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "apt-get" else None)
    monkeypatch.setattr(tasks, "UPDATE", ["echo", "updates"])
    monkeypatch.setattr(tasks, "INSTALL", ["echo", "installs"])
    tasks.install_servers()
    assert "updates\ninstalls some-server\n" in capfd.readouterr().out

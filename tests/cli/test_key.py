"""The API key comes from the environment, a file or the keyring, in this order; it is not shown."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from tests.cli.commands import ADA, Done, Shell
from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import needs_package
from tests.support.scripted_server import replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

KEYS = {place: f"sk-of-the-{place}" for place in ("environment", "file", "keyring")}


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's keyring, empty: the file in which it keeps everything."""
    needs_package("keyring", "keyring")
    monkeypatch.chdir(ROOT)  # where the commands find this keyring
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.keyrings.FileKeyring")
    monkeypatch.setenv("TESTS_KEYRING_FILE", str(tmp_path / "keyring.json"))
    return tmp_path / "keyring.json"


def run_with(shell: Shell, typed: str, *arguments: str, **settings: str) -> Done:
    """Run a command with this text on stdin."""
    process = shell.start(*arguments, popen={"stdin": subprocess.PIPE}, **settings)
    out, err = process.communicate(typed, timeout=HANG)
    return Done(process.returncode, out, err)


@pytest.fixture
def key_used(shell: Shell, vendor: ScriptedServer) -> Callable[..., Awaitable[str | None]]:
    """The key that a command with these settings sends to the server."""

    async def ask(**settings: str) -> str | None:
        vendor.will(replies(200, {"balance": 7}))
        named: dict[str, Any] = {"API_URL": vendor.url} | settings
        done = await anyio.to_thread.run_sync(lambda: shell.run("credits", **named))
        assert done == Done(0, "7\n", "")
        return vendor.seen[-1].headers.get("x-api-key")

    return ask


async def test_the_environment_comes_first_then_the_file_then_the_keyring(
    keyring: Path,
    shell: Shell,
    vendor: ScriptedServer,
    key_used: Callable[..., Awaitable[str | None]],
) -> None:
    file = shell.folder / "key.txt"
    file.write_text(f"\n{KEYS['file']}\n")
    stored = run_with(shell, f"{KEYS['keyring']}\n", "key", "set", API_URL=vendor.url)
    assert (stored.code, stored.err) == (0, "")
    assert (
        await key_used(API_KEY=KEYS["environment"], API_KEY_FILE=str(file)) == KEYS["environment"]
    )
    assert await key_used(API_KEY="", API_KEY_FILE=str(file)) == KEYS["file"]
    assert await key_used() == KEYS["keyring"]
    forgotten = shell.run("key", "forget", API_URL=vendor.url)
    assert (forgotten.code, forgotten.err) == (0, "")
    assert await key_used() is None
    assert "holds no key" in shell.run("key", "forget", API_URL=vendor.url).refused()


async def test_a_key_is_kept_for_one_server_and_never_shown_to_another(
    keyring: Path, shell: Shell, key_used: Callable[..., Awaitable[str | None]]
) -> None:
    run_with(shell, KEYS["keyring"], "key", "set", API_URL="https://other.example/")
    run_with(shell, KEYS["keyring"], "key", "set")
    assert await key_used() is None


def test_a_key_for_the_vendor_makes_the_vendor_the_one_who_is_asked(
    keyring: Path, shell: Shell
) -> None:
    assert shell.run("credits", "grant", "5").code == 0
    run_with(shell, KEYS["keyring"], "key", "set")
    assert KEYS["keyring"] in keyring.read_text()
    assert "key forget" in shell.run("credits", "grant", "5").refused(code=2)
    shell.run("key", "forget")
    assert shell.run("credits", "grant", "5").code == 0


def test_typed_text_is_never_shown_and_only_a_key_is_stored(keyring: Path, shell: Shell) -> None:
    stored = run_with(shell, KEYS["keyring"], "key", "set", API_KEY="another")
    assert "comes first" in stored.err
    assert KEYS["keyring"] not in stored.out + stored.err
    for typed in ("", "\n", "two words", "schlüssel"):
        assert "not an API key" in run_with(shell, typed, "key", "set").refused()
    as_argument = shell.run("key", "set", "sk-argument")
    assert "sk-argument" not in as_argument.refused(code=2)
    assert "sk-argument" not in keyring.read_text()


def test_without_a_keyring_nothing_changes_but_that_none_can_be_stored(
    keyring: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert shell.run("credits") == Done(0, "250\n", "")
    assert "ENRICHMENT_API_KEY_FILE" in run_with(shell, "sk-1", "key", "set").refused()


def test_a_locked_keyring_ends_the_call_and_never_the_choice_of_the_server(
    keyring: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.support.keyrings.LockedKeyring")
    asked = shell.run_all(["enrich", ADA], ["credits"], ["key", "forget"])
    for done in (*asked, run_with(shell, "sk-1", "key", "set")):
        told = done.refused()
        assert "Unlock it, or set" in told
        assert "planted" not in done.err
    assert not shell.database.exists()


@pytest.mark.parametrize("content", [None, b" \n", b"\xff\xfe\x00", b"x" * 9000])
def test_a_key_file_that_holds_none_is_reported_and_nobody_else_is_asked(
    content: bytes | None, shell: Shell
) -> None:
    file = shell.folder / "key.txt"
    if content is not None:
        file.write_bytes(content)
    told = shell.run("credits", API_KEY_FILE=str(file)).refused()
    assert "ENRICHMENT_API_KEY_FILE" in told
    assert not shell.database.exists()


def test_a_key_file_may_lie_in_the_home_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "key.txt").write_text("two words")
    told = shell.run("credits", API_KEY_FILE="~/key.txt").refused()
    assert "The API key holds a space" in told
    assert "two words" not in told

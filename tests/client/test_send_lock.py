"""The lock by which processes know whether a POST is being sent."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.state import send_lock
from mcp_enrichment.client.state.send_lock import SendLock
from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def ours(state_file: Path) -> Iterator[SendLock]:
    with closing(SendLock(state_file)) as lock:
        yield lock


@pytest.fixture
def theirs(state_file: Path) -> Iterator[SendLock]:
    """Another client's."""
    with closing(SendLock(state_file)) as lock:
        yield lock


def test_one_file_serves_all_posts_of_a_client(ours: SendLock, tmp_path: Path) -> None:
    for _ in range(3):
        with ours.sender():
            ours.hold()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_client_that_is_closed_sends_nothing_and_leaves_no_file(
    ours: SendLock, theirs: SendLock, tmp_path: Path
) -> None:
    with ours.sender() as sender:
        ours.hold()
        assert theirs.is_sending(sender)
        ours.close()
        assert not theirs.is_sending(sender)
    assert not list(tmp_path.iterdir())


def test_a_client_knows_which_of_its_posts_are_over(ours: SendLock) -> None:
    with ours.sender() as first, ours.sender() as second:
        ours.hold()
        assert ours.is_sending(first)
    assert first != second
    assert not ours.is_sending(first)


def test_a_lock_whose_file_was_removed_is_taken_again(
    ours: SendLock, theirs: SendLock, tmp_path: Path
) -> None:
    ours.hold()
    [file] = tmp_path.iterdir()
    file.unlink()
    with ours.sender() as sender:
        ours.hold()
        assert theirs.is_sending(sender)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_lock_whose_file_was_replaced_is_taken_again(ours: SendLock, theirs: SendLock) -> None:
    ours.hold()
    ours._file.unlink()
    ours._file.touch()
    with ours.sender() as sender:
        ours.hold()
        assert theirs.is_sending(sender)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_file_is_removed_while_it_is_locked(
    ours: SendLock, theirs: SendLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_unless_taken(file: Path) -> None:
        with pytest.raises(StorageFailed):  # its client cannot take the lock that is removed
            ours.hold()
        file.unlink()

    ours._file.touch()
    with ours.sender() as sender:
        monkeypatch.setattr(send_lock, "_remove", remove_unless_taken)
        assert not theirs.is_sending(sender)
        monkeypatch.undo()
        ours.hold()
        assert theirs.is_sending(sender)


def test_an_old_file_is_removed_unless_its_client_lives(
    ours: SendLock, theirs: SendLock, tmp_path: Path
) -> None:
    theirs.hold()
    [held] = tmp_path.iterdir()
    left = held.with_name(f"{held.name}-left-behind")
    left.touch()
    for file in (held, left):
        os.utime(file, times=(0, send_lock.STALE_SECONDS))
    ours.hold()
    assert held.exists()
    assert not left.exists()


def test_an_old_file_that_is_no_lock_is_removed(ours: SendLock, state_file: Path) -> None:
    junk = state_file.with_name("memory.db.sending-0123.conflict")
    junk.write_bytes(b"x" * 5000)
    os.utime(junk, times=(0, 0))
    ours.hold()
    assert not junk.exists()


def test_something_in_the_place_of_the_lock_is_a_fault_of_storage(ours: SendLock) -> None:
    ours._file.mkdir()
    with pytest.raises(StorageFailed):
        ours.hold()

"""A person at a terminal is asked once and sees how far the list is; a pipe gets plain lines."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from tests.cli.list_shell import ended
from tests.support.list_service import hit, miss
from tests.support.terminal import own_the_terminal, terminal, until_at_rest

if TYPE_CHECKING:
    from tests.cli.list_shell import ListShell

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX systems"),
]


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


async def run(
    lists: ListShell, *options: str, columns: int = 100, reply: str = "y\n"
) -> tuple[int, Any]:
    """Run the command in a terminal, and answer its question; return its code and the terminal."""
    with terminal(columns) as (shown, end):
        process = lists.start(
            *options, stdin=end, stdout=end, stderr=end, preexec_fn=own_the_terminal
        )
        end.close()
        if "--yes" not in options:
            await anyio.to_thread.run_sync(shown.read_until, "[y/N]")
            until_at_rest(process.pid)
            shown.type(reply)
        await anyio.to_thread.run_sync(shown.read_until)
        return (await ended(process)).code, shown


async def test_a_person_is_asked_and_sees_the_bar_and_then_the_table(lists: ListShell) -> None:
    lists.write(hit(1), hit(2), miss(1))
    code, screen = await run(lists)
    assert code == 0
    assert "3 are new.\r\nThis can cost 3 credits: " in screen.shown
    assert screen.bars[0].endswith("0/3  found 0  missed 0  open 3  spent 0 --:-- left")
    assert "3/3  found 2  missed 1  open 0  spent 2 00:00 left" in screen.bars[-1]
    assert "━" in screen.bars[-1]
    assert screen.shown.index("hit-2@example.com") > screen.shown.index(screen.bars[-1])


@pytest.mark.parametrize("reply", ["n\n", "\n", "\x03"])
async def test_nothing_is_requested_without_consent(lists: ListShell, reply: str) -> None:
    lists.write(hit(1))
    code, screen = await run(lists, "--out", str(lists.out), reply=reply)
    assert (code, lists.service.posted) == (1, [])
    assert "Aborted!" in screen.shown
    assert not lists.out.exists()


async def test_a_narrow_terminal_gets_the_counts_on_one_line(lists: ListShell) -> None:
    lists.write(hit(1), hit(2))
    _, screen = await run(lists, "--yes", "--out", str(lists.out), columns=50)
    assert screen.bars[-1].strip() == "2/2  found 2  missed 0  open 0  spent 2 00:00"
    assert max(map(len, screen.bars)) <= 50


@pytest.mark.parametrize(("name", "colours"), [("NO_COLOR", 0), ("A_SETTING", 1)])
async def test_a_person_who_wants_no_colour_gets_none(
    lists: ListShell, monkeypatch: pytest.MonkeyPatch, name: str, colours: int
) -> None:
    monkeypatch.setenv(name, "1")
    lists.write(hit(1))
    _, screen = await run(lists, "--yes", "--out", str(lists.out))
    assert "1/1  found 1" in screen.bars[-1]
    assert bool(re.search(r"\x1b\[[\d;]+m", screen.raw)) == bool(colours)


async def test_a_dumb_terminal_gets_the_last_state_alone(
    lists: ListShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    lists.write(hit(1), hit(2))
    _, screen = await run(lists, "--yes", "--out", str(lists.out))
    assert len(screen.bars) == 1
    assert "2/2  found 2  missed 0  open 0  spent 2" in screen.bars[0]


async def test_a_pipe_gets_no_bar_and_no_control_codes(lists: ListShell) -> None:
    lists.write(hit(1))
    done = await lists.saved()
    assert done.code == 0
    assert done.err.replace("\n", " ").isprintable()
    assert done.err.splitlines() == [
        "Reading",
        "1 rows: 1 people, 0 repeated, 0 without a profile.",
        "0 are known, 0 are being looked up, 1 are new.",
        "This can cost 1 credits: one for each address found.",
        "Found 1, missed 0, failed 0, open 0. Spent 1 credits.",
        f"Written to {lists.out}.",
    ]


async def test_closing_the_terminal_writes_what_there_is(lists: ListShell) -> None:
    lists.write(*(hit(number) for number in range(4)))
    lists.service._ends = 1_000_000
    lists.service.end("hit-3")
    with terminal(100) as (shown, end):
        options = {"stdin": end, "stdout": end, "stderr": end, "preexec_fn": own_the_terminal}
        process = lists.start("--yes", "--out", str(lists.out), **options)
        end.close()
        await anyio.to_thread.run_sync(shown.read_until, "1/4")
    done = await ended(process)
    assert done.code == 130
    statuses = [row["status"] for row in lists.rows()]
    assert statuses == ["open", "open", "open", "completed"]

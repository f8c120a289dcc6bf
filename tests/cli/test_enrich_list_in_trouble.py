"""A list that is interrupted, killed or cut off goes on where it stopped, and loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.cli.list_shell import ended
from tests.support.list_service import hit, miss
from tests.support.scripted_server import replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.cli.list_shell import ListShell
    from tests.support.scripted_server import ReceivedRequest

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems"),
]

PEOPLE = 8


@pytest.fixture
def begun(lists: ListShell) -> ListShell:
    """A list whose lookups end when the test says so."""
    lists.write(*(hit(number) for number in range(PEOPLE)))
    lists.service._ends = 1_000_000
    return lists


async def start_until_posted(lists: ListShell, count: int) -> subprocess.Popen[str]:
    process = lists.start("--yes", "--out", str(lists.out))
    with anyio.fail_after(HANG):
        await lists.service.wait_until_posted(count)
    return process


async def test_ctrl_c_writes_what_there_is_and_the_same_command_goes_on(begun: ListShell) -> None:
    begun.service.end("hit-3")
    process = await start_until_posted(begun, PEOPLE)
    with anyio.fail_after(HANG):
        await begun.service.wait_until_read("hit-3")
        # The next poll of another one comes after the answer was kept.
        for _ in range(2):
            await begun.service.wait_until_read("hit-0")
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.code == 130
    assert "Traceback" not in done.err
    statuses = [row["status"] for row in begun.rows()]
    assert statuses == ["completed" if number == 3 else "open" for number in range(PEOPLE)]
    assert "The same command again goes on from here." in done.err

    begun.service.end_all()
    again = await begun.saved("--max-credits", "0")
    assert again.code == 0
    assert "1 are known, 7 are being looked up, 0 are new." in again.err
    assert {row["status"] for row in begun.rows()} == {"completed"}
    assert len(begun.service.posted) == PEOPLE


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_a_signal_to_end_leaves_no_request_whose_outcome_is_unknown(
    begun: ListShell, ending: str
) -> None:
    arrived, may_answer = anyio.Event(), anyio.Event()

    async def slow(stream: SocketStream, seen: ReceivedRequest) -> None:
        arrived.set()
        await may_answer.wait()
        await begun.service(stream, seen)

    begun.vendor.always(slow)
    process = begun.start("--yes", "--out", str(begun.out))
    with anyio.fail_after(HANG):
        await arrived.wait()
    process.send_signal(signal.Signals[ending])
    await anyio.sleep(0.5)  # shows that the process waits for the answers
    assert process.poll() is None
    may_answer.set()
    done = await ended(process)
    assert done.code == 130
    assert "Ctrl-C again ends at once." in done.err
    sent = len(begun.service.posted)

    begun.vendor.always(begun.service)
    begun.service.end_all()
    done = await begun.saved()
    assert done.code == 0
    assert f"{sent} are being looked up, {PEOPLE - sent} are new." in done.err
    assert len(begun.service.posted) == len(set(begun.service.posted)) == PEOPLE


async def test_a_second_ctrl_c_ends_at_once(begun: ListShell) -> None:
    arrived = anyio.Event()

    async def never(_stream: SocketStream, _seen: ReceivedRequest) -> None:
        arrived.set()
        await anyio.sleep_forever()

    begun.vendor.always(never)
    process = begun.start("--yes", "--out", str(begun.out))
    with anyio.fail_after(HANG):
        await arrived.wait()
    process.send_signal(signal.SIGINT)
    await anyio.sleep(0.5)  # a second signal right after the first one may be merged with it
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert not begun.out.exists()


async def test_after_a_kill_the_same_command_pays_for_nobody_twice(begun: ListShell) -> None:
    process = await start_until_posted(begun, PEOPLE // 2)
    process.kill()
    await ended(process)
    begun.service.end_all()
    done = await begun.saved()
    statuses = [row["status"] for row in begun.rows()]
    assert len(begun.service.posted) == len(set(begun.service.posted))
    # The answer to a POST that was under way is lost: it is not sent again.
    unknown = statuses.count("error")
    assert statuses.count("completed") == PEOPLE - unknown
    assert done.code == (4 if unknown else 0)
    assert f"{PEOPLE:,} rows" in done.err
    assert [path.name for path in begun.out.parent.glob(".found*")] == []


async def test_a_list_that_changes_during_the_run_gives_nobody_anothers_answer(
    begun: ListShell,
) -> None:
    process = await start_until_posted(begun, PEOPLE)
    begun.write(*(miss(number) for number in range(PEOPLE)))
    begun.service.end_all()
    assert (await ended(process)).code == 0
    assert [(row["linkedin_url"], row["email"]) for row in begun.rows()] == [
        (hit(number), f"hit-{number}@example.com") for number in range(PEOPLE)
    ]


async def test_a_service_that_goes_down_ends_the_list_with_what_there_is(
    lists: ListShell,
) -> None:
    lists.write(hit(1))
    await lists.saved()
    lists.write(hit(1), *(hit(number) for number in range(2, 4)))
    before = len(lists.service.posted)
    lists.vendor.will(replies(200, {}))
    lists.vendor.always(replies(400, {"error": {"code": "bad", "message": "no"}}))
    done = await lists.saved()
    assert done.code == 4
    assert "Not all could be looked up" in done.err
    assert len(lists.rows()) == 3
    assert len(lists.service.posted) == before


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system without free space."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if not mount or not umount or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("only root may mount a small disk")
    (disk / "filler").write_bytes(b"x" * 12_000)
    yield disk
    subprocess.run([umount, str(disk)], check=True)


async def test_answers_that_do_not_fit_on_the_disk_are_written_later_for_free(
    lists: ListShell, full_disk: Path
) -> None:
    lists.write("LinkedIn,Notes", *(f"{hit(number)},{'x' * 1000}" for number in range(30)))
    out = full_disk / "found.csv"
    told = (await lists.run("--yes", "--out", str(out))).refused()
    assert "No space left" in told
    assert "It costs nothing" in told
    assert os.listdir(full_disk) == ["filler"]
    paid = lists.service.charged
    assert paid == 30
    assert (await lists.saved()).code == 0
    assert {row["status"] for row in lists.rows()} == {"completed"}
    assert lists.service.charged == paid


async def test_what_may_have_been_charged_is_told(lists: ListShell) -> None:
    lists.write(hit(1), hit(2))
    lists.vendor.always(replies(200, b"<html>"))
    done = await lists.saved()
    assert done.code == 4
    assert "open 2. Spent 0 credits, and up to 2 more: nobody knows." in done.err
    assert {row["reason"] for row in lists.rows()} == {"outcome_unknown"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux alone")
async def test_a_full_stdout_is_told_with_what_to_do(lists: ListShell) -> None:
    lists.write(hit(1))
    full = os.open("/dev/full", os.O_WRONLY)
    done = await lists.run("--yes", stdout=full)
    os.close(full)
    assert "The output cannot be written: No space left" in done.refused()


async def test_a_reader_that_has_gone_gives_no_traceback(lists: ListShell) -> None:
    lists.write(hit(1))
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = await lists.run("--yes", stdout=write_end)
    os.close(write_end)
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err

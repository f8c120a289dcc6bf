"""Fixtures for the tests of every package."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import network_guard
from tests.support.browser import chromium
from tests.support.scripted_server import ScriptedServer, scripted_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

INSTALLING = {"compat", "installs"}
"""Markers of tests that install from package indexes, and so need a network."""

# A busy machine may take any time for an example.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--installing",
        choices=["too", "only", "none"],
        default="too",
        help="whether to run tests that install from package indexes",
    )


def pytest_configure() -> None:
    if hasattr(signal, "SIGHUP"):  # `nohup` ignores it, and so would each process of the tests
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    network_guard.block_outside_connections()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file without a test that installs if only those are to run."""
    if config.getoption("--installing") != "only" or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    return None if any(f"pytest.mark.{marker}" in text for marker in INSTALLING) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Otherwise a worker would be alone with one at the end.
    items.sort(key=lambda one: one.get_closest_marker("long") is None)
    wanted = config.getoption("--installing")
    if wanted == "too":
        return
    left_out = [one for one in items if _installs(one) is not (wanted == "only")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [one for one in items if _installs(one) is (wanted == "only")]


def _installs(item: pytest.Item) -> bool:
    return any(marker.name in INSTALLING for marker in item.iter_markers())


@pytest.fixture(autouse=True)
def _nothing_outside_is_reached() -> Iterator[None]:
    yield
    reached = list(network_guard.attempts)
    network_guard.attempts.clear()
    assert not reached, f"the test connected to {reached}"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("ENRICHMENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedServer]:
    """A scripted server; the test says what it answers."""
    async with scripted_server() as end:
        yield end


@pytest.fixture(scope="module")
async def _chromium() -> AsyncIterator[Browser]:
    """One for the tests of a file, as its start takes longer than most tests."""
    async with chromium() as started:
        yield started


@pytest.fixture
async def browser(_chromium: Browser) -> AsyncIterator[Browser]:
    """A headless Chromium without a profile. It reaches no more than the test's process does."""
    yield _chromium
    for context in _chromium.contexts:
        await context.close()

"""One toolbox for all tests of a run, and the hosts with what each saw of the server."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.compat.hosts import HOSTS
from tests.compat.servers import TRANSPORTS
from tests.compat.toolbox import Toolbox, ran

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.compat.hosts import Host


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """Third-party programs, installed for this run only."""
    folder = tmp_path_factory.mktemp("tools")
    yield Toolbox(folder)
    shutil.rmtree(folder)


@pytest.fixture(params=TRANSPORTS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The server over each transport: the `command` and `env` that start it, or its `url`."""
    with TRANSPORTS[request.param](tmp_path) as reached:
        yield reached


@pytest.fixture(scope="session", params=HOSTS, ids=str)
def host(request: pytest.FixtureRequest) -> Host:
    """Each SDK, in each of its protocol modes."""
    return request.param


@pytest.fixture(scope="session")
def verdicts(
    host: Host, tools: Toolbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The results of the host, by transport. As it mostly waits, both run at once."""
    command = host.command(tools)

    def verdict(server: dict[str, Any]) -> Any:
        ended = ran(*command, json.dumps(server), *host.options)
        assert ended.code == 0, ended
        return json.loads(ended.out)

    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        servers = [
            stack.enter_context(reached(tmp_path_factory.mktemp(name)))
            for name, reached in TRANSPORTS.items()
        ]
        return dict(zip(TRANSPORTS, pool.map(verdict, servers), strict=True))


@pytest.fixture(params=TRANSPORTS)
def verdict(request: pytest.FixtureRequest, verdicts: dict[str, Any]) -> dict[str, Any]:
    """The results of the host over one transport."""
    return verdicts[request.param] | {"transport": request.param}

"""From a request to its final answer, for a stored contact, through an in-memory MCP client.

Measured with 10,000 and with 1,000,000 contacts stored, in turn. Goals: p50 at most 25 ms, and at
most 1.3 times as long with a hundred times the contacts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from mcp import Client

from mcp_enrichment.app.client import lazy_client
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.mcp.results import structured_content
from mcp_enrichment.mcp.server import create_server
from mcp_enrichment.service.accounts.teams import embedded_team
from mcp_enrichment.service.billing.ledger import grant
from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.sources.exports.records import Contact
from mcp_enrichment.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SIZES = (10_000, 1_000_000)
LOOKUPS = 300
WARM_UP = 20


async def main() -> None:
    """Print p50 and p95 for both sizes, and the ratio of the p50s."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            clients = {
                size: await stack.enter_async_context(connected(Path(folder) / str(size), size))
                for size in SIZES
            }
            taken: dict[int, list[float]] = {size: [] for size in SIZES}
            for number in range(LOOKUPS + WARM_UP):
                for size, client in clients.items():
                    taken[size].append(await seconds_to_answer(client, number * (size // 1000)))
    medians = {}
    for size, times in taken.items():
        measured = sorted(times[WARM_UP:])
        medians[size] = statistics.median(measured)
        p95 = measured[int(len(measured) * 0.95)]
        print(f"{size:9,} contacts: p50 {medians[size] * 1000:5.1f} ms, p95 {p95 * 1000:5.1f} ms")
    few, many = (medians[size] for size in SIZES)
    print(f"goal: p50 ≤ 25 ms; ratio {many / few:.2f} (goal: ≤ 1.3)")


async def seconds_to_answer(client: Client, number: int) -> float:
    """Look up a contact that was not requested before; return the seconds."""
    asked = {"linkedin_url": profile(number), "type": "work"}
    began = time.perf_counter()
    answer = structured_content(await client.call_tool("request_email_enrichment", asked))
    taken = time.perf_counter() - began
    assert answer["email"] == email(number), answer
    return taken


@asynccontextmanager
async def connected(folder: Path, size: int) -> AsyncIterator[Client]:
    """A client of a server in this process, over a database with this many contacts."""
    settings = Settings(data_dir=folder, state_dir=folder, api_key=None, api_url=None)
    await fill(settings, size)
    async with (
        lazy_client(settings) as get_client,
        Client(create_server(get_client)) as client,
    ):
        yield client


async def fill(settings: Settings, size: int) -> None:
    """Store contacts, and credits for all lookups."""
    database = open_sqlite(settings.database_file)
    import_contacts(database, contacts(size), source="bench")
    database.write_now(lambda c: grant(c, embedded_team(c, at=0), LOOKUPS + WARM_UP, at=0))
    database.close()


def contacts(size: int) -> Iterator[Contact]:
    """Fictional people, numbered."""
    for number in range(size):
        yield Contact(
            profile=profile(number),
            email=email(number),
            email_type=EmailType.WORK,
            first_name="Pat",
            last_name=f"Example {number}",
            company="Example",
            position="",
            connected_on=None,
        )


def profile(number: int) -> str:
    """The profile of one of them."""
    return f"https://www.linkedin.com/in/pat-example-{number:07}"


def email(number: int) -> str:
    """The address of one of them."""
    return f"pat.{number}@example.com"


if __name__ == "__main__":
    anyio.run(main)

"""How right inferred addresses are on the user's own contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.database import local_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mcp_enrichment.service.sources.inference.accuracy import Accuracy, Tally

SWITCH = (
    "Addresses are inferred only where you ask for it: ENRICHMENT_SOURCES=contacts,inferred. They "
    "are marked as inferred, and cost no credit."
)


@click.command()
def report() -> None:
    """Report how often inferred addresses are right, measured on your own contacts.

    Each known work address is left out in turn, inferred from the others, and compared.
    """
    from mcp_enrichment.service.contacts.person_records import figures

    with local_database() as database:
        found = figures(database)
    for line in _lines(found):
        click.echo(line)


def _lines(figures: Accuracy) -> Iterator[str]:
    tested = sum(tally.tested for tally in figures.by_level().values())
    yield f"{figures.known:,} known work addresses of people with a name, each left out in turn:"
    yield f"{tested:,} could be inferred from the others."
    if tested:
        yield ""
        yield from _table("how many colleagues agree", figures.by_level(), {})
        yield ""
        yield from _table("pattern (of precise levels)", figures.by_pattern(), figures.domains)
    yield ""
    yield from _offered(figures)
    yield SWITCH


def _table(title: str, tallies: Mapping[str, Tally], domains: Mapping[str, int]) -> Iterator[str]:
    yield f"{title:46}  inferred   right  precise" + "  domains" * bool(domains)
    for name, tally in sorted(tallies.items(), key=lambda each: -each[1].tested):
        right, precise = f"{tally.precision:.1%}", "yes" if tally.is_precise else "no"
        if not tally.tested:
            right = precise = "-"
        row = f"{name:46}  {tally.tested:8,}  {right:>6}  {precise:>7}"
        yield row + (f"  {domains.get(name, 0):7,}" if domains else "")


def _offered(figures: Accuracy) -> Iterator[str]:
    from mcp_enrichment.service.sources.inference.accuracy import MIN_PRECISION, MIN_TESTED

    offered = figures.offered()
    if not offered.tested:
        yield (
            f"Nothing is offered: no level has {MIN_TESTED} inferred addresses of which "
            f"{MIN_PRECISION:.0%} are right."
        )
        return
    part = offered.tested / figures.known
    yield (
        f"Offered: precision {offered.precision:.1%}, coverage {part:.1%} "
        f"({offered.right:,} of {offered.tested:,} right). Below {MIN_PRECISION:.0%} nothing is."
    )

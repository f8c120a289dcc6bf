"""Sources: how often each has an address, what that costs, and whether it is paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.lookup import circuit_breaker
from mcp_enrichment.service.reports.order_report import order_report
from mcp_enrichment.service.reports.source_figures import NEWEST, recent_history, source_figures
from mcp_enrichment.service.reports.source_order import MIN_ANSWERED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit
    from mcp_enrichment.service.reports.order_report import OrderReport


async def show(visit: Visit) -> Response:
    """Each source in the order in which they are asked."""
    facts, service = visit.console.facts, visit.console.service
    figures = await service.database.read(lambda c: source_figures(c, facts.sources))
    return visit.page(
        "sources.html", figures=figures, facts=facts, newest=NEWEST, now=service.clock()
    )


async def show_order(visit: Visit) -> Response:
    """The cheapest order, computed from the newest answers in less than a second."""
    facts = visit.console.facts

    def work_out(connection: Any) -> Sequence[OrderReport]:
        history = recent_history(connection, facts.sources)
        orders = (order_report(t, facts.sources, history, facts.prices) for t in EmailType)
        return [order for order in orders if order]

    orders = await visit.console.service.database.read(work_out)
    return visit.page(
        "source_order.html", orders=orders, facts=facts, newest=NEWEST, least=MIN_ANSWERED
    )


async def resume(visit: Visit) -> Response:
    """End the pause of a source: the lookups that wait for its end go on."""
    name, service = visit.form.get("source", ""), visit.console.service
    database = service.database
    if await database.read(lambda c: circuit_breaker.get(c, name)) is None:
        raise Refused(404, "This source is not paused.", "Nothing was changed.")
    asked = visit.ask(
        f"End the pause of {name}? The lookups that wait call it again, which it may charge.",
        f"End the pause of {name}",
        back="/sources",
        source=name,
    )
    if asked:
        return asked
    await database.write(
        lambda c: circuit_breaker.end_pause(c, database.queue, name, at=service.clock())
    )
    service.wake()
    return visit.to("/sources", done=f"The pause of {name} has ended: lookups call it again.")

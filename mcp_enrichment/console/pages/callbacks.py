"""Callbacks: each attempt, and delivering failed ones again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.service.callbacks.callback_job import redeliver
from mcp_enrichment.service.reports.attempt_log import (
    PAGE,
    SCANNED,
    newest_attempts,
    team_of_callback,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from mcp_enrichment.console.visits import Visit

_IDS = re.compile(r"[0-9a-f]{24}(,[0-9a-f]{24})*")


async def show(visit: Visit) -> Response:
    """The newest attempts; with `failed`, those that did not deliver."""
    given = visit.request.query_params
    only_failed, before = given.get("failed") == "1", given.get("before")
    page = await visit.console.service.database.read(
        lambda c: newest_attempts(c, only_failed=only_failed, before=before)
    )
    failed = dict.fromkeys(one.callback_id for one in page.attempts if one.has_failed)
    return visit.page(
        "callbacks.html",
        page=page,
        only_failed=only_failed,
        before=before,
        failed=list(failed),
        rows=PAGE,
        scanned=SCANNED,
    )


async def retry(visit: Visit) -> Response:
    """Deliver callbacks again, with three new attempts each."""
    named = visit.form.get("ids", "")
    if not _IDS.fullmatch(named):
        raise Refused(400, "No callback is named.", "Nothing was changed.")
    ids = list(dict.fromkeys(named.split(",")))
    many = "1 callback" if len(ids) == 1 else f"{len(ids)} callbacks"
    asked = visit.ask(
        f"Deliver {many} again? Each gets three new attempts, and its receiver may get it twice.",
        f"Deliver {many} again",
        back="/callbacks",
        ids=named,
    )
    if asked:
        return asked
    started = await visit.console.service.database.write(lambda c: _redeliver(visit, c, ids))
    visit.console.service.wake()
    says = f"{started} of {many} will be delivered by the running service"
    return visit.to("/callbacks", done=f"{says}, or when one is started.")


def _redeliver(visit: Visit, connection: Any, ids: Sequence[str]) -> int:
    """Start a new round of each callback that still exists; return the number of them."""
    service, started = visit.console.service, 0
    for callback_id in ids:
        team_id = team_of_callback(connection, callback_id)
        if team_id is not None:
            queue = service.database.queue
            redeliver(connection, queue, team_id, callback_id, at=service.clock())
            started += 1
    return started

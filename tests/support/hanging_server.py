"""The server over contacts that never answer, so that another process must finish its lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.cli import main, signals
from mcp_enrichment.service.sources.contacts import ContactsSource
from tests.support.release_patience import let_jobs_be_released
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType


async def never(_self: ContactsSource, _profile: str, _email_type: EmailType) -> None:
    await anyio.sleep_forever()


if __name__ == "__main__":
    let_jobs_be_released()
    signals.CLEANUP_SECONDS = HANG  # a busy machine may need longer to stop
    ContactsSource.find = never  # type: ignore[assignment,method-assign]
    main()

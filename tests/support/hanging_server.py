"""The server over contacts that never answer: what it has begun is left to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.cli import main, signals
from mcp_enrichment.service.contacts.own_sources import ContactsSource
from tests.support.release_patience import let_jobs_be_released
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType


async def never(_self: ContactsSource, _profile: str, _email_type: EmailType) -> None:
    await anyio.sleep_forever()


if __name__ == "__main__":
    let_jobs_be_released()
    signals.CLEANUP_SECONDS = HANG  # on a busy machine the end takes longer, and is not cut short
    ContactsSource.find = never  # type: ignore[assignment,method-assign]
    main()

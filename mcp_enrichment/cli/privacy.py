"""Suppressing, erasing and exporting a person, and the audit log of these actions."""

from __future__ import annotations

import time
from functools import wraps
from typing import TYPE_CHECKING, Any

import anyio
import click

from mcp_enrichment.cli.common import (
    format_time,
    limit_option,
    print_row,
    profile_url,
    stored_requests,
    with_service_database,
)
from mcp_enrichment.service.privacy import audit_log, subject_requests, suppression
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.sources.exports.email_address import clean_email

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.privacy.subject_requests import ErasureResult

NOT_VACUUMED = (
    "The rows are deleted, but the files could not be rewritten and may still hold them: another "
    "process is reading, the disk is full, or the role does not own the database. Run this again."
)


@click.group()
def privacy() -> None:
    """Suppress, erase or export a person."""


def _of_a_person(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --profile and --email, and pass the person that one of them names."""

    @click.option(
        "--profile", metavar="URL", callback=profile_url, help="The person's LinkedIn profile."
    )
    @click.option("--email", metavar="ADDRESS", help="An address of the person.")
    @wraps(command)
    def run(profile: str | None, email: str | None, **options: Any) -> None:
        command(subject=_subject(profile, email), **options)

    return run


@privacy.command()
@_of_a_person
@with_service_database
def suppress(database: Database, subject: NamedSubject) -> None:
    """Never look up this profile again, or never give out this address."""
    new = subject_requests.suppress(database, subject, at=time.time())
    click.echo("Suppressed." if new else "It was suppressed already.")


@privacy.command()
@_of_a_person
@with_service_database
def lift(database: Database, subject: NamedSubject) -> None:
    """Take this profile or address off the suppression list."""
    was_there = subject_requests.unsuppress(database, subject, at=time.time())
    click.echo("Lifted." if was_there else "It was not suppressed.")


@privacy.command()
@_of_a_person
@click.option("--without-suppressing", is_flag=True, help="The person may be looked up again.")
@with_service_database
def erase(database: Database, subject: NamedSubject, without_suppressing: bool) -> None:
    """Remove all that is stored about a person, and suppress them.

    Requests about them keep their ids, outcomes and credits. A service may run meanwhile.
    """
    done = subject_requests.erase(
        database, subject, suppressing=not without_suppressing, at=time.time()
    )
    # Before the files are rewritten, which may fail: a second call no longer finds the profiles of
    # an address.
    with stored_requests() as store:
        forgotten = anyio.run(store.forget_profiles, done.profiles)
    is_scrubbed = database.scrub_now()
    _print_report(done, forgotten=forgotten)
    if not is_scrubbed:
        raise click.ClickException(NOT_VACUUMED)


@privacy.command()
@_of_a_person
@with_service_database
def export(database: Database, subject: NamedSubject) -> None:
    """Print all that is stored about a person, as JSON."""
    found = subject_requests.export(database, subject, at=time.time())
    click.echo(subject_requests.export_text(found))


@privacy.command("list")
@with_service_database
def list_suppressed(database: Database) -> None:
    """List the suppression list, as hashes: the people are not stored."""
    for subject, kind, at in database.read_now(suppression.list_entries):
        print_row(format_time(at), kind, subject)


@privacy.command("audit")
@limit_option()
@with_service_database
def show_audit(database: Database, limit: int) -> None:
    """Show who did what to how many rows, the newest first."""
    for one in database.read_now(lambda c: audit_log.newest(c, limit=limit)):
        print_row(format_time(one.at), one.actor, one.action, one.pseudonym or "-", one.counts)


def _subject(profile: str | None, email: str | None) -> NamedSubject:
    if profile and email:
        raise click.UsageError("Name the person by --profile or by --email, not both.")
    if profile is email is None:
        raise click.UsageError("Name the person by --profile or by --email.")
    if profile:
        return NamedSubject(profile=profile)
    if (address := clean_email(email or "")) is None:
        raise click.ClickException(
            "--email is not an email address; pass one like ada@example.com."
        )
    return NamedSubject(address=address)


def _print_report(done: ErasureResult, *, forgotten: int) -> None:
    for table, rows in sorted(done.removed.items()):
        click.echo(f"{table}: {rows:,}")
    click.echo(f"Remembered questions: {forgotten:,}. Suppressed: {done.suppressed:,}.")
    if done.shared_by and done.profiles:
        click.echo(
            f"An address of this person is known for {done.shared_by:,} other profiles as well: "
            "what holds it was erased there too.",
            err=True,
        )
    elif done.shared_by:
        click.echo(
            f"The address is known for {done.shared_by:,} profiles, so its owner is not known: "
            "only what holds it was erased. Erase the person by --profile too.",
            err=True,
        )

"""Each invariant holds on a real run, and reports a single row or record that breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_enrichment.service.privacy import subject_requests
from mcp_enrichment.service.privacy.subject_requests import NamedSubject
from mcp_enrichment.service.sources.base import Hit
from tests.support import invariants
from tests.support.databases import change, rows
from tests.support.invariants import AT_THE_END, Violated, check
from tests.support.invariants.evidence import (
    Budget,
    Cap,
    Evidence,
    Question,
    ReceivedCallback,
    Said,
    Told,
    VendorAnswer,
)
from tests.support.running_service import ADA, ADAS, HIT, MISS, running_service, until
from tests.support.scripted_server import replies, scripted_server
from tests.support.scripted_vendors import scripted_vendor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.databases import Place
    from tests.support.running_service import RunningService

GRACE = "https://www.linkedin.com/in/grace-example"
LIN = "https://www.linkedin.com/in/lin-example"
LINS = "lin@example.com"
REFERENCE = "row-17"
GIVEN = 10
DELIVERED = "SELECT count(*) FROM callback_attempts WHERE outcome = 'delivered'"


async def a_run(place: Place) -> Evidence:
    """Ada is found, with a callback; Grace is not; Lin is found, and then erased."""
    vendor = scripted_vendor(HIT, MISS, Hit(email=LINS), name="vendor")
    async with (
        scripted_server() as receiver,
        running_service(place, vendor, credits=GIVEN, allow_private=True) as it,
    ):
        receiver.always(replies(200))
        url = f"{receiver.url}/hook"
        told = [
            await asked(it, ADA, callback_url=url, external_id=REFERENCE),
            await asked(it, GRACE),
            await asked(it, LIN, external_id="lin's own"),
        ]
        erase = partial(subject_requests.erase, suppressing=True, at=it.service.clock())
        await anyio.to_thread.run_sync(erase, it.service.database, NamedSubject(profile=LIN))
        await anyio.to_thread.run_sync(it.service.database.scrub_now)
        await until(lambda: it.rows(DELIVERED) == [(1,)])
        await until(lambda: it.rows("SELECT count(*) FROM jobs") == [(0,)])
        seen = [ReceivedCallback(url=url, headers=r.headers, body=r.body) for r in receiver.seen]
    said = ((ADA, Said.HIT), (GRACE, Said.MISS), (LIN, Said.HIT))
    return Evidence(
        rows=partial(rows, place),
        granted={1: GIVEN},
        vendor_answers=[
            VendorAnswer(
                vendor="vendor", profile=profile, email_type="work", said=what, is_charged=True
            )
            for profile, what in said
        ],
        addresses={ADA: [ADAS], GRACE: [], LIN: [LINS]},
        told=told,
        callbacks=seen,
        suppressed={LIN: told[-1].asked_at + 3600, LINS: told[-1].asked_at + 3600},
        erased=[LIN, LINS, "lin's own"],
        files=partial(files_of, place),
        budgets=[Budget(team_id=1, daily=2, reserve=7)],
        caps=[Cap(team_id=1, profiles=[ADA, GRACE], max_credits=1)],
    )


async def asked(it: RunningService, profile: str, **more: Any) -> Told:
    """Ask for a work email, and wait for the answer."""
    asked_at = it.service.clock()
    body = await it.final(await it.accepted(linkedin_url=profile, **more))
    return Told(
        caller=f"the caller about {profile}",
        question=Question(it.team_id, profile, "work"),
        request_id=body["_id"],
        status=body["status"],
        email=(body.get("email") or {}).get("email"),
        reason=body.get("reason"),
        asked_at=asked_at,
    )


def files_of(place: Place) -> list[tuple[str, bytes]]:
    if not isinstance(place, Path):
        return []
    return [(file.name, file.read_bytes()) for file in place.parent.iterdir()]


@pytest.mark.anyio
async def test_all_invariants_hold_on_a_run_without_a_fault(place: Place) -> None:
    check(await a_run(place), AT_THE_END)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Evidence]:
    """The file of a run that has ended, and its evidence."""
    path = tmp_path_factory.mktemp("finished") / "enrichment.db"
    evidence = anyio.run(a_run, path)
    return path.read_bytes(), evidence


@pytest.fixture
def run(finished: tuple[bytes, Evidence], tmp_path: Path) -> tuple[Path, Evidence]:
    """A copy of the file, and the evidence of the run about it."""
    content, evidence = finished
    copy = tmp_path / "enrichment.db"
    copy.write_bytes(content)
    return copy, replace(evidence, rows=partial(rows, copy), files=partial(files_of, copy))


ROWS = [
    ("credits_are_conserved", "UPDATE teams SET available = available + 1"),
    ("credits_are_conserved", "UPDATE teams SET held = 1"),
    ("credits_are_conserved", "UPDATE teams SET settled = settled + 1"),
    ("credits_are_conserved", "UPDATE ledger SET amount = 11 WHERE kind = 'grant'"),
    (
        "credits_are_conserved",
        "DELETE FROM ledger WHERE request_id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/grace-%')",
    ),
    (
        "credits_are_conserved",
        "UPDATE requests SET verification = 'inferred' WHERE id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%')",
    ),
    ("credits_are_conserved", "UPDATE ledger SET available_after = 3 WHERE kind = 'settle'"),
    (
        "credits_are_conserved",
        "INSERT INTO ledger SELECT 99, team_id, '0', 'hold', 1, 8, NULL, at FROM ledger"
        " WHERE request_id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%') AND kind = 'hold'",
    ),
    ("no_balance_is_negative", "UPDATE ledger SET available_after = -1 WHERE kind = 'settle'"),
    (
        "no_vendor_is_paid_twice",
        "DELETE FROM source_calls WHERE request_id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%')",
    ),
    (
        "no_question_is_paid_twice",
        "UPDATE requests SET linkedin_url = 'https://www.linkedin.com/in/ada-okafor-example'"
        " WHERE reason = 'erased'",
    ),
    (
        "no_miss_stands_for_an_outage",
        "UPDATE source_calls SET state = 'unavailable'"
        " WHERE request_id = (SELECT id FROM requests WHERE linkedin_url LIKE '%/grace-%')",
    ),
    (
        "no_miss_stands_for_an_outage",
        "DELETE FROM source_calls WHERE request_id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/grace-%')",
    ),
    (
        "no_miss_stands_for_an_outage",
        "UPDATE source_calls SET state = 'miss'"
        " WHERE request_id = (SELECT id FROM requests WHERE linkedin_url LIKE '%/ada-%')",
    ),
    (
        "an_outage_is_waited_for",
        "UPDATE requests SET status = 'failed', reason = 'sources-unavailable'"
        " WHERE status = 'not-found'",
    ),
    (
        "an_answer_is_waited_for",
        "UPDATE requests SET status = 'failed', reason = 'answer-lost', completed_at = ("
        " SELECT requested_at FROM source_calls WHERE request_id = id) WHERE status = 'not-found'",
    ),
    (
        "answers_are_of_the_one_who_asked",
        "UPDATE requests SET email = 'lin@example.com' WHERE id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%')",
    ),
    (
        "answers_are_of_the_one_who_asked",
        "UPDATE requests SET linkedin_url = 'https://www.linkedin.com/in/grace-example'"
        " WHERE id = (SELECT id FROM requests WHERE linkedin_url LIKE '%/ada-%')",
    ),
    (
        "answers_are_of_the_one_who_asked",
        "UPDATE requests SET team_id = 2 WHERE id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%')",
    ),
    ("nothing_is_left_of_the_erased", "UPDATE requests SET evidence = 'a lin@example.com, b'"),
    (
        "nothing_is_left_of_the_erased",
        "UPDATE callbacks SET url = 'https://example.com/?https://www.linkedin.com/in/lin-example'",
    ),
    (
        "nothing_is_left_of_the_erased",
        "INSERT INTO contact_persons (linkedin_url, first_name, last_name, company, company_key,"
        " email_local, email_domain, source, seen_at, imported_at)"
        " VALUES ('', '', '', '', '', 'Lin', 'Example.com', '', 0, 0)",
    ),
    (
        "nothing_is_left_of_the_erased",
        "UPDATE source_calls SET vendor_job_id = '7'"
        " WHERE request_id = (SELECT id FROM requests WHERE reason = 'erased')",
    ),
    (
        "nothing_is_left_of_the_erased",
        "INSERT INTO idempotency_keys VALUES (1, 'key', 'hash', (SELECT id FROM requests"
        " WHERE reason = 'erased'), 0)",
    ),
    (
        "nothing_is_left_of_the_erased",
        "INSERT INTO callbacks VALUES ('c', (SELECT id FROM requests"
        " WHERE reason = 'erased'), 'https://example.com', NULL, 1, 0)",
    ),
    ("callbacks_are_tried_three_times_at_most", "UPDATE callback_attempts SET number = 2"),
    ("callbacks_are_tried_three_times_at_most", "DELETE FROM callback_attempts"),
    ("callbacks_are_signed", "DELETE FROM callback_secrets"),
    ("callbacks_are_of_the_one_who_asked", "UPDATE callbacks SET url = 'https://example.com/'"),
    ("callbacks_are_of_the_one_who_asked", "UPDATE callbacks SET external_id = 'row-18'"),
    ("callbacks_are_of_the_one_who_asked", "UPDATE callbacks SET id = 'c'"),
    (
        "callbacks_are_of_the_one_who_asked",
        "UPDATE callbacks SET request_id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/grace-%')",
    ),
    ("budgets_and_caps_are_kept", "DELETE FROM ledger WHERE kind = 'release'"),
    (
        "everything_has_ended",
        "UPDATE requests SET status = 'processing' WHERE id = (SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/grace-%')",
    ),
    (
        "everything_has_ended",
        "INSERT INTO jobs VALUES ((SELECT id FROM requests"
        " WHERE linkedin_url LIKE '%/ada-%'), 'look-up', 1, 0, 0, NULL, NULL, NULL)",
    ),
    ("no_callback_is_given_up_early", "UPDATE callback_attempts SET outcome = 'http-error'"),
]


@pytest.mark.parametrize(("invariant", "planted"), ROWS)
def test_one_wrong_row_is_reported(
    run: tuple[Path, Evidence], invariant: str, planted: str
) -> None:
    path, evidence = run
    change(path, planted)
    reports(invariant, evidence)


def test_a_job_that_a_worker_takes_from_a_live_one_is_reported(
    run: tuple[Path, Evidence],
) -> None:
    path, evidence = run
    evidence = replace(evidence, is_calm=True)
    change(path, "INSERT INTO jobs VALUES ('job', 'look-up', 1, 0, 1, 'first', 9, NULL)")
    check(evidence, [invariants.a_job_has_one_worker])
    change(path, "UPDATE jobs SET lease_owner = 'second'")
    reports("a_job_has_one_worker", evidence)


def reports(invariant: str, evidence: Evidence) -> None:
    """Check that this invariant is violated."""
    with pytest.raises(Violated) as violated:
        check(evidence, [getattr(invariants, invariant)])
    assert violated.value.invariant == invariant


def with_body(evidence: Evidence, **changed: Any) -> Evidence:
    """The evidence with another body in its callback."""
    [received] = evidence.callbacks
    body = json.dumps(json.loads(received.body) | changed).encode()
    return replace(evidence, callbacks=[replace(received, body=body)])


def with_told(evidence: Evidence, **changed: Any) -> Evidence:
    """The evidence with another answer about Ada."""
    first, *others = evidence.told
    return replace(evidence, told=[replace(first, **changed), *others])


RECORDS: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("credits_are_conserved", lambda run: replace(run, granted={1: GIVEN + 1})),
    (
        "credits_are_conserved",
        lambda run: replace(run, granted={1: GIVEN - 2}, perhaps_granted={1: 1}),
    ),
    (
        "no_vendor_is_paid_twice",
        lambda run: replace(run, vendor_answers=[*run.vendor_answers, run.vendor_answers[0]] * 2),
    ),
    (
        "no_question_is_paid_twice",
        lambda run: replace(run, payments_meant={Question(1, ADA, "work"): 0}),
    ),
    (
        "no_miss_stands_for_an_outage",
        lambda run: replace(
            run, vendor_answers=[replace(one, said=Said.NOTHING) for one in run.vendor_answers]
        ),
    ),
    ("an_unknown_outcome_is_unknown", lambda run: with_told(run, error="outcome_unknown")),
    ("answers_are_of_the_one_who_asked", lambda run: with_told(run, email=LINS)),
    ("answers_are_of_the_one_who_asked", lambda run: with_told(run, request_id="0" * 24)),
    ("answers_are_of_the_one_who_asked", lambda run: with_told(run, status="not-found")),
    ("the_suppressed_are_not_given_out", lambda run: replace(run, suppressed={ADA: 0.0})),
    (
        "the_suppressed_are_not_given_out",
        lambda run: replace(run, suppressed={"ADA@example.com": 0}),
    ),
    (
        "the_suppressed_are_not_given_out",
        lambda run: replace(run, suppressed={ADAS: 0.0}, told=[]),
    ),
    (
        "the_suppressed_are_not_given_out",
        lambda run: replace(
            run,
            suppressed={GRACE: 0.0},
            vendor_answers=[replace(one, at=1.0) for one in run.vendor_answers],
        ),
    ),
    ("nothing_is_left_of_the_erased", lambda run: replace(run, erased=["Ada@Example.com"])),
    (
        "no_file_has_an_erased_text",
        lambda run: replace(run, files=lambda: [("state.db-journal", b"\0" + LINS.encode())]),
    ),
    (
        "callbacks_are_tried_three_times_at_most",
        lambda run: replace(run, callbacks=[*run.callbacks, *run.callbacks]),
    ),
    ("callbacks_are_signed", lambda run: with_body(run, reason="other")),
    ("callbacks_are_of_the_one_who_asked", lambda run: with_body(run, status="not-found")),
    (
        "callbacks_are_of_the_one_who_asked",
        lambda run: with_body(run, email={"email": LINS, "type": "work"}),
    ),
    (
        "callbacks_are_of_the_one_who_asked",
        lambda run: replace(
            run, callbacks=[*run.callbacks, *with_body(run, credits_charged=2).callbacks]
        ),
    ),
    ("callbacks_fit_the_contract", lambda run: with_body(run, status="unheard-of")),
    (
        "no_callback_is_given_up_early",
        lambda run: replace(run, callbacks=[replace(one, headers={}) for one in run.callbacks]),
    ),
    ("budgets_and_caps_are_kept", lambda run: replace(run, budgets=[Budget(team_id=1, daily=1)])),
    ("budgets_and_caps_are_kept", lambda run: replace(run, budgets=[Budget(team_id=1, reserve=9)])),
    (
        "budgets_and_caps_are_kept",
        lambda run: replace(run, caps=[Cap(team_id=1, profiles=[ADA], max_credits=0)]),
    ),
    ("everything_has_ended", lambda run: replace(run, unanswered=["a caller"])),
]


@pytest.mark.parametrize(("invariant", "plant"), RECORDS)
def test_one_wrong_record_is_reported(
    run: tuple[Path, Evidence], invariant: str, plant: Callable[[Evidence], Evidence]
) -> None:
    _, evidence = run
    reports(invariant, plant(evidence))


def test_each_invariant_has_a_planted_violation() -> None:
    planted = {name for name, _ in ROWS} | {name for name, _ in RECORDS}
    in_two_steps = {"a_job_has_one_worker"}
    assert planted | in_two_steps == {invariant.__name__ for invariant in AT_THE_END}

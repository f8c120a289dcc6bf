"""Arguments in other forms are accepted if they are unambiguous, otherwise refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.mcp.arguments import (
    CreditsArguments,
    GetArguments,
    RequestArguments,
    WaitArguments,
    ignored_names,
    parse,
)
from tests.mcp.faces import ADA, ID, WORK, data_of, error_of, wire
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from mcp import Client

    from tests.support.scripted_server import ScriptedServer

OTHER = "ffeeddccbbaa998877665544"
BOTH = [ID, OTHER]

MEANT: list[tuple[str, Any, Any]] = [
    *(("wait_seconds", form, 5) for form in (5, 5.0, "5", "5.0", " 5 ", "+5", "5e0", "\u00a05\n")),
    *(("wait_seconds", form, 0) for form in (0, "0", "-0", ".0")),
    *(("wait_seconds", form, 10) for form in (None, "", "   ")),
    *(("force_refresh", form, True) for form in (True, "true", "True", " TRUE ", "1", "yes", 1)),
    *(("force_refresh", form, False) for form in (False, "false", "False", "0", "no", "off", 0)),
    *(("force_refresh", form, False) for form in (None, "", "\t")),
    *(("type", form, "personal") for form in ("personal", " Personal ", "PERSONAL\n")),
    ("type", "personal_email", "personal"),
    *(("callback_url", form, None) for form in (None, "", " ")),
    ("callback_url", " https://example.com/done\n", "https://example.com/done"),
    *(("external_id", form, None) for form in (None, "", " ")),
    ("external_id", 4711, "4711"),
    ("external_id", " as it is ", " as it is "),
]
LISTS: list[Any] = [
    BOTH,
    [f" {ID}\n", f"\t{OTHER}"],
    [ID, None, "", OTHER],
    [[ID], [[OTHER]]],
    [f"{ID},{OTHER}"],
    [{"id": ID, "status": "pending"}, {"id": OTHER}],
    f'["{ID}", "{OTHER}"]',
    f"['{ID}', '{OTHER}']",
    f"[{ID}, {OTHER}]",
    f"{ID},{OTHER}",
    f"{ID}; {OTHER};",
    f"{ID}\r\n{OTHER}\n",
    f"{ID} {OTHER}",
    f"\ufeff{ID}\u00a0{OTHER}\u200b",
]
AMBIGUOUS: list[tuple[str, Any, str]] = [
    *(
        ("wait_seconds", form, "wait_seconds: give a number from 0 to 50, or leave it out")
        for form in ("1e3x", "ten", "10s", "1,5", "1_0", "NaN", "inf", math.nan, math.inf, 10**400)
    ),
    *(
        ("wait_seconds", form, "wait_seconds: give a number from 0 to 50, or leave it out")
        for form in (True, [10], {}, 51, "51", -1, "-1", "9" * 5000)
    ),
    *(
        ("force_refresh", form, "force_refresh: give true or false, or leave it out")
        for form in ("maybe", "2", 2, -1, 0.5, "truely", [True], {}, "null")
    ),
    *(("type", form, "type: give 'work' or 'personal'") for form in ("both", "works", 1, ["work"])),
    *(("external_id", form, "a text of at most 256 characters") for form in (1.5, True, "x" * 257)),
    *(("callback_url", form, "callback_url: give a text") for form in (1, ["https://e.com"])),
    ("linkedin_url", 7, "linkedin_url: give a text."),
]


@pytest.mark.parametrize(("name", "form", "meant"), MEANT)
def test_a_form_that_can_mean_one_thing_only_is_taken_for_it(
    name: str, form: Any, meant: Any
) -> None:
    assert getattr(parse(RequestArguments, WORK | {name: form}), name) == meant


@pytest.mark.parametrize("form", LISTS)
def test_ids_may_be_written_in_any_layout(form: Any) -> None:
    assert parse(WaitArguments, {"ids": form}) == parse(WaitArguments, {"ids": BOTH})


@pytest.mark.parametrize("form", [ID, f" {ID}\n", [ID], f'"{ID}"', f'["{ID}"]', {"id": ID}])
def test_a_lone_id_may_be_written_as_a_list_and_a_list_as_a_lone_id(form: Any) -> None:
    assert parse(GetArguments, {"id": form}) == parse(GetArguments, {"id": ID})
    assert parse(WaitArguments, {"ids": form}) == parse(WaitArguments, {"ids": [ID]})


def test_an_id_that_is_given_twice_is_answered_twice_in_its_places() -> None:
    assert parse(WaitArguments, {"ids": f"{ID},{OTHER},{ID}"}).ids == [ID, OTHER, ID]


@pytest.mark.parametrize(("name", "form", "said"), AMBIGUOUS)
def test_an_ambiguous_argument_is_refused_with_the_accepted_forms(
    name: str, form: Any, said: str
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        parse(RequestArguments, WORK | {name: form})
    told = refused.value.to_assistant()
    assert said in told
    assert "nothing charged. Correct it and call again. This tool takes: linkedin_url, " in told


@pytest.mark.parametrize("name", ["wait_seconds", "external_id", "force_refresh", "type"])
def test_a_number_of_thousands_of_digits_is_refused(name: str) -> None:
    with pytest.raises(InvalidArguments, match=f"{name}: give "):
        parse(RequestArguments, WORK | {name: 10**5000})


@pytest.mark.parametrize("form", ["a/b", [7], [ID, {}], [True], "{}", [ID, "../credits"]])
def test_ids_that_are_none_are_refused_by_their_place(form: Any) -> None:
    with pytest.raises(InvalidArguments, match=r"ids\.\d: give one id, as a tool returned it"):
        parse(WaitArguments, {"ids": form})


@pytest.mark.parametrize("form", [[], "[]", [[]], [None, " "], 7, False, {}, {"ids": ID}])
def test_a_list_without_any_id_is_refused(form: Any) -> None:
    with pytest.raises(InvalidArguments, match=r"ids(\.0)?: give (a list of 1 to 100|one id)"):
        parse(WaitArguments, {"ids": form})


def test_ids_as_deep_as_any_client_can_nest_them_are_read() -> None:
    form: Any = ID
    for _ in range(100_000):
        form = [form]
    assert parse(WaitArguments, {"ids": form}) == parse(WaitArguments, {"ids": [ID]})


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_a_required_argument_that_is_empty_is_named_as_missing(nothing: Any) -> None:
    with pytest.raises(InvalidArguments, match="type is missing: give 'work' or 'personal'"):
        parse(RequestArguments, WORK | {"type": nothing})


def test_an_unknown_argument_is_named_unless_its_name_may_be_personal() -> None:
    added = {"toolCallId": "call_1", "ada.okafor@example.com": 1, "x" * 41: 2, "na\nme": 3}
    assert ignored_names(CreditsArguments, added) == ["toolCallId"]
    many = {f"added_{number}": 0 for number in range(5000)}
    assert len(ignored_names(CreditsArguments, many)) == 20


N8N = {
    "sessionId": "48a2f2d1e8d34c6c",
    "action": "sendMessage",
    "chatInput": "find her work address",
    "toolCallId": "call_0BCIShth4lxZuYr4coSp4E5E",
}
"""The members that n8n's MCP client adds to the model's arguments."""


@pytest.mark.anyio
async def test_the_arguments_that_n8n_adds_change_nothing_and_are_named_in_the_result(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.will(replies(201, wire("completed")))
    answer = await buyer.call_tool("request_email_enrichment", WORK | N8N)
    assert data_of(answer)["email"] == "ada.okafor@example.com"
    assert (answer.meta or {})["ignored_arguments"] == list(N8N)
    assert "sendMessage" not in vendor.posts[-1].body.decode()
    vendor.will(replies(200, {"balance": 7}))
    assert data_of(await buyer.call_tool("get_credits", N8N))["balance"] == 7


@pytest.mark.anyio
async def test_a_refusal_names_the_ignored_arguments_too(buyer: Client) -> None:
    refused = await buyer.call_tool("request_email_enrichment", {"linkedin_url": ADA, "kind": 1})
    assert error_of(refused)["sentence"].startswith("type is missing")
    assert (refused.meta or {})["ignored_arguments"] == ["kind"]


@pytest.mark.anyio
async def test_a_misspelled_argument_never_spends_a_credit_more(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.will(replies(201, wire("completed")))
    await buyer.call_tool("request_email_enrichment", WORK)
    vendor.will(replies(200, wire("completed")))
    misspelled = WORK | {"force_refesh": True}
    again = await buyer.call_tool("request_email_enrichment", misspelled)
    assert data_of(again)["reused"]
    assert len(vendor.posts) == 1
    assert (again.meta or {})["ignored_arguments"] == ["force_refesh"]


@pytest.mark.anyio
async def test_texts_for_true_and_false_decide_about_money_as_they_say(
    buyer: Client, vendor: ScriptedServer
) -> None:
    vendor.will(replies(201, wire("completed")))
    await buyer.call_tool("request_email_enrichment", WORK)
    vendor.will(replies(200, wire("completed")))
    await buyer.call_tool("request_email_enrichment", WORK | {"force_refresh": "False"})
    assert len(vendor.posts) == 1
    vendor.will(replies(201, wire("completed", _id=OTHER)))
    await buyer.call_tool("request_email_enrichment", WORK | {"force_refresh": "True"})
    assert len(vendor.posts) == 2


@pytest.mark.anyio
async def test_a_client_that_fills_in_every_argument_asks_the_vendor_for_nothing_more(
    buyer: Client, vendor: ScriptedServer
) -> None:
    filled = {"callback_url": "", "external_id": "", "wait_seconds": "", "force_refresh": None}
    vendor.will(replies(201, wire("completed")))
    await buyer.call_tool("request_email_enrichment", WORK | filled)
    assert vendor.posts[-1].json == WORK

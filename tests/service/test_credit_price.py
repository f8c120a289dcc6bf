"""The most that a credit costs in money, as the preview of a list shows it."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_enrichment.app.price import credit_price
from mcp_enrichment.contract.defaults import VENDOR_URL
from mcp_enrichment.settings import Settings

HUNTER_AND_PROSPEO = {"sources": "contacts,hunter,prospeo"}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENRICHMENT_HUNTER_API_KEY", "a-key-of-hunter")
    monkeypatch.setenv("ENRICHMENT_PROSPEO_API_KEY", "a-key-of-prospeo")


def price_of(**settings: Any) -> str | None:
    price = credit_price(Settings(**settings))
    return price and price.of(100)


def test_a_lookup_may_be_charged_once_by_each_vendor() -> None:
    prices = {"prices": "hunter=0.02,prospeo=0.03", "currency": "EUR"}
    assert price_of(**HUNTER_AND_PROSPEO, **prices) == "5.00 EUR"


@pytest.mark.parametrize("prices", ["", "hunter=0.02"])
def test_without_each_price_none_is_shown(prices: str) -> None:
    assert price_of(**HUNTER_AND_PROSPEO, prices=prices) is None


def test_own_contacts_alone_have_no_price() -> None:
    assert price_of(prices="hunter=0.02") is None


def test_elsewhere_a_credit_costs_what_the_vendor_of_the_contract_takes() -> None:
    assert price_of(api_key="a-key", prices="salesfinity=0.1") == "10.00"
    assert price_of(api_key="a-key", api_url=VENDOR_URL, prices="salesfinity=0.1") == "10.00"


def test_the_price_of_a_teams_service_is_not_known_here() -> None:
    elsewhere = {"api_key": "a-key", "api_url": "https://team.example"}
    assert price_of(**elsewhere, prices="salesfinity=0.1") is None

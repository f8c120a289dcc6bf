"""The dashboard and the alerts ask for metrics, labels and values that the service serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggregateExpr, MatchOp, VectorSelector

from mcp_enrichment.contract.models import FINAL
from mcp_enrichment.service import metrics
from mcp_enrichment.service.callbacks.callback_table import AttemptOutcome
from mcp_enrichment.service.lookup.source_call_table import CallState
from mcp_enrichment.service.queue.job import JobKind
from tests.support.fresh_copy import ROOT
from tests.support.keyed_client import keyed_client
from tests.support.running_service import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
[GROUP] = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))["groups"]
QUERIES = {panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"]}
ALERTS = {rule["alert"]: rule["expr"] for rule in GROUP["rules"]}
VALUES = {
    ("enrichment_lookups", "status"): {status.value for status in FINAL},
    ("enrichment_source_answers", "outcome"): {state.value for state in CallState},
    ("enrichment_callback_attempts", "outcome"): {outcome.value for outcome in AttemptOutcome},
    ("enrichment_callback_attempts", "number"): {"1", "2", "3"},
    ("enrichment_http_requests", "status"): {"500", "503"},
    ("enrichment_jobs_waiting", "kind"): {kind.value for kind in JobKind},
    ("enrichment_credits", "kind"): {"available", "held", "granted"},
}
"""The values that a query may compare a label with."""
EVERY = pytest.mark.parametrize("query", [*QUERIES.values(), *ALERTS.values()])


def parsed(query: str) -> list[Any]:
    """The parts of a query. Grafana fills in the interval."""
    parts: list[Any] = []
    tree = promql_parser.parse(query.replace("$__rate_interval", "5m"))
    promql_parser.walk(tree, parts.append)
    return parts


def selectors(query: str) -> Iterator[VectorSelector]:
    for part in parsed(query):
        if isinstance(part, VectorSelector):
            yield part


def labels_of(name: str) -> set[str]:
    """The labels of a metric, as the service sets them."""
    by_name = {getattr(one, "_name", None): one for one in vars(metrics).values()}
    metric = by_name[family(name)]
    return {*metric._labelnames, *({"le"} if name.endswith("_bucket") else ())}


def family(name: str) -> str:
    for ending in ("_total", "_bucket"):
        name = name.removesuffix(ending)
    return name


@pytest.mark.anyio
async def test_every_metric_of_the_dashboard_and_the_alerts_is_served(path: Path) -> None:
    async with running_service(path, jobs=False) as it, keyed_client(it, metrics=True) as http:
        served = (await http.get("/metrics")).text
    families = {one.name for one in text_string_to_metric_families(served)}
    names = {name for name in families if not name.endswith("_created")}
    queries = [*QUERIES.values(), *ALERTS.values()]
    asked = {family(one.name) for query in queries for one in selectors(query)}
    assert asked == names, "and each that is served is shown"


@EVERY
def test_every_label_is_one_of_its_metric_and_has_values_that_exist(query: str) -> None:
    found = list(selectors(query))
    for selector in found:
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels_of(selector.name)
            known = VALUES[family(selector.name), matcher.name]
            assert set(matcher.value.split("|")) <= known
            if "|" in matcher.value:
                assert matcher.op in (MatchOp.Re, MatchOp.NotRe)
    common = set.intersection(*(labels_of(selector.name) for selector in found))
    for part in parsed(query):
        if isinstance(part, AggregateExpr) and part.modifier:
            assert set(part.modifier.labels) <= common


def test_every_alert_says_what_to_do() -> None:
    for rule in GROUP["rules"]:
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_every_panel_has_its_place_and_one_source_of_data() -> None:
    places = [tuple(panel["gridPos"].values())[:2] for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}

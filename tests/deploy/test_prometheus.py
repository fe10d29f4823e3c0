"""Every expression that the project ships, asked of a real Prometheus that scrapes a running service."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import shipped_promql
import watched_service
from service_bench import png
from watched_service import Watched

from service.metrics import Metrics

# Identifiers of PromQL that are no metric.
_GRAMMAR = {
    "absent", "and", "avg", "count", "histogram_quantile", "increase", "max", "max_over_time", "offset", "or",
    "rate", "sum", "time", "unless", "vector",
}  # fmt: skip
# Nothing was turned away for want of room, and no picture was large enough to be shared among workers.
_SILENT = {"Leases", "Refused, by reason"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The service after some traffic: pictures, a refusal, questions."""
    if missing := watched_service.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)} (tests/install-system-packages)")
    with watched_service.watched(tmp_path_factory.mktemp("watched")) as there:
        for seed in range(8):
            answer = there.service.post("/restore?task=derain", content=png(seed=seed))
            assert answer.status_code == 200, answer.text
            refused = there.service.post("/restore?task=derain", content=b"no picture")
            assert refused.status_code == 415
            time.sleep(1.1)  # each scrape sees the counters grow
        yield there


def _names(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without|ignoring) *\([^)]*\)', " ", expression)
    return set(re.findall(r"\b[A-Za-z_:][\w:]*", bare)) - _GRAMMAR


def test_expressions_name_only_what_is_declared_recorded_or_reported_by_an_exporter(service: Watched) -> None:
    ours = {
        sample
        for family in Metrics().registry.collect()
        for sample in (family.name, *(family.name + suffix for suffix in ("_total", "_bucket", "_sum", "_count")))
    }
    recorded = {rule["record"] for rule in shipped_promql.rules() if "record" in rule}
    reported = {name for name in service.names() if name.startswith(("redis_", "haproxy_", "process_"))}
    known = ours | recorded | reported | watched_service.dcgm_counters() | {"up"}
    for where, expression in [*shipped_promql.of_rules(), *shipped_promql.of_dashboards()]:
        assert _names(expression) <= known, where


@pytest.mark.parametrize(("where", "expression"), list(shipped_promql.of_dashboards()), ids=lambda text: text[:60])
def test_every_line_of_every_panel_has_data_after_traffic(service: Watched, where: str, expression: str) -> None:
    found = service.query(expression)
    if where.split(": ")[1] not in _SILENT:
        assert found, f"{where} shows nothing: {expression}"
        assert all(series["value"][1] != "NaN" for series in found) or "quantile" in expression


@pytest.mark.parametrize(("where", "expression"), list(shipped_promql.of_rules()), ids=lambda text: text[:60])
def test_every_rule_is_evaluated_without_error(service: Watched, where: str, expression: str) -> None:
    service.query(expression)
    if ":" in where.removeprefix("rule "):
        assert service.query(where.removeprefix("rule ")), f"{where} records nothing"


def test_a_healthy_service_raises_no_alert(service: Watched) -> None:
    firing = {
        alert["labels"]["alertname"]
        for alert in service.prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        if alert["state"] == "firing"
    }
    # The stand-in's GPU reports 42 for everything, its last fault included.
    assert firing <= {"UnseamGpuFault"}


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "/metric%73?a=b"])
def test_the_proxy_hides_the_metrics(service: Watched, path: str) -> None:
    assert service.service.get(path).status_code == 404

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def maker(deploy: Path) -> ModuleType:
    pytest.importorskip("grafana_foundation_sdk")
    spec = importlib.util.spec_from_file_location("dashboards", deploy / "grafana" / "dashboards.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _panels(deploy: Path) -> Iterator[dict[str, Any]]:
    for path in (deploy / "grafana" / "dashboards").glob("*.json"):
        yield from (panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row")


def test_the_dashboards_are_what_their_descriptions_make(deploy: Path, maker: ModuleType) -> None:
    made = {path.stem: maker.build(path) for path in (deploy / "grafana").glob("*.toml")}
    there = {path.stem: path.read_text() for path in (deploy / "grafana" / "dashboards").glob("*.json")}
    assert made == there, "run: python deploy/grafana/dashboards.py"


def test_every_panel_says_how_to_read_it(deploy: Path) -> None:
    for panel in _panels(deploy):
        assert len(panel["description"].split()) >= 8, panel["title"]


def test_panels_read_the_provisioned_source(deploy: Path) -> None:
    source = (deploy / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
    for panel in _panels(deploy):
        for part in (panel, *panel["targets"]):
            assert f"uid: {part['datasource']['uid']}\n" in source


def test_all_tasks_are_those_that_requests_named_and_not_the_probes_and_scrapes(deploy: Path) -> None:
    board = json.loads((deploy / "grafana" / "dashboards" / "service.json").read_text())
    (choice,) = board["templating"]["list"]
    assert 'task!="none"' in json.dumps(choice["query"]).replace("\\", "")
    assert "allValue" not in choice, "it would stand for more than the choices"


def test_lines_of_a_dashboard_are_filled(deploy: Path) -> None:
    for panel in _panels(deploy):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]

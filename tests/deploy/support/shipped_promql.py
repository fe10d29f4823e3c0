"""Every PromQL expression that the project ships, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"


def of_dashboards() -> Iterator[tuple[str, str]]:
    """Where, and the expression as Grafana sends it for all tasks that were asked for."""
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$__rate_interval", "20s").replace("$task", "(derain|dejpeg)")
                yield f"{path.stem}: {panel['title']}: {target['legendFormat']}", expression


def of_rules() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]


def rules() -> Iterator[dict[str, str]]:
    for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]

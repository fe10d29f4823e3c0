from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import shipped_promql
import yaml
from prometheus_client import generate_latest

from service.metrics import Metrics

Find = Callable[[str], str]


def _clean(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_configuration_and_rules(deploy: Path, program: Find) -> None:
    _clean(program("promtool"), "check", "config", deploy / "prometheus" / "prometheus.yml")
    _clean(
        program("promtool"), "check", "rules", "--lint-fatal", *sorted((deploy / "prometheus" / "rules").glob("*.yml"))
    )


def test_every_alert_fires_for_what_it_is_about_and_for_nothing_else(program: Find) -> None:
    _clean(program("promtool"), "test", "rules", Path(__file__).with_name("alerts.test.yml"))


def test_every_alert_is_among_the_tested_ones() -> None:
    tested = Path(__file__).with_name("alerts.test.yml").read_text()
    for rule in shipped_promql.rules():
        if name := rule.get("alert"):
            assert tested.count(f"{name}\n        exp_alerts:") >= 1, f"{name} is never seen firing"
            assert tested.count(f"{name}}}") >= 1, f"{name} is never seen silent"


def test_every_alert_has_a_severity_and_a_section_in_the_runbook(deploy: Path) -> None:
    page = (deploy.parent / "docs" / "operations.md").read_text()
    for rule in shipped_promql.rules():
        if name := rule.get("alert"):
            assert rule["labels"]["severity"] in ("critical", "warning", "notice")
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
            assert re.search(rf"^#+ {name}$", page, re.MULTILINE), f"docs/operations.md has no section {name}"


def test_our_metrics_follow_the_conventions(program: Find) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(Metrics().registry),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_follows_from_a_lost_redis_or_no_worker_keeps_quiet(deploy: Path) -> None:
    (rule,) = yaml.safe_load((deploy / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"]
    causes, quiet = (set(re.findall(r"Unseam\w+", str(rule[key]))) for key in ("source_matchers", "target_matchers"))
    assert causes | quiet <= {one["alert"] for one in shipped_promql.rules() if "alert" in one}
    assert quiet >= {"UnseamQueueStalled", "UnseamProxyHasNoApi", "UnseamErrorBudgetBurnsFast"}
    assert not causes & quiet


def test_the_alertmanager_takes_its_configuration(deploy: Path, program: Find) -> None:
    _clean(program("amtool"), "check-config", deploy / "alertmanager" / "alertmanager.yml")

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import shipped_promql
import yaml

from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
CHAPTERS = (
    "First start", "Changing the code or the settings without downtime", "Updating networks without downtime",
    "Rotating keys", "Backing up", "Who hears of alerts", "Stopping", "Adding a host", "Kubernetes",
    "Reading the dashboards", "What each alert means",
)  # fmt: skip


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_operations_page_has_the_chapter_and_it_says_something(chapter: str) -> None:
    (text,) = re.findall(rf"^#+ {chapter}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(text.split()) > 10


def test_it_names_every_service_of_the_stack_and_how_to_reach_it() -> None:
    rows = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| `.*$", PAGE, re.MULTILINE))))
    stack = [yaml.safe_load((ROOT / "deploy" / name).read_text()) for name in ("docker-compose.yml", "compose.cpu.yml")]
    assert {name for one in stack for name in one["services"]} <= rows


def test_settings_files_and_commands_that_it_names_exist() -> None:
    for name in re.findall(rf"{PREFIX}([A-Z_]+)", PAGE):
        assert name.lower() in Settings.model_fields, name
    for name in re.findall(r"`?\b((?:deploy|docker|benchmarks)/[\w./*-]+\w)", PAGE):
        made = name.startswith(("deploy/secrets", "deploy/prometheus/hosts/")) or name == "deploy/.env"
        assert made or list(ROOT.glob(name)), name
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", PAGE, re.MULTILINE)) <= targets


def test_prometheus_asks_every_port_that_a_further_hosts_workers_may_take(tmp_path: Path) -> None:
    (command,) = re.findall(r"^ +(\{ echo .*\n.*worker-HOST.yml)$", PAGE, re.MULTILINE)
    (tmp_path / "deploy" / "prometheus" / "hosts").mkdir(parents=True)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    (hosts,) = yaml.safe_load((tmp_path / "deploy" / "prometheus" / "hosts" / "worker-HOST.yml").read_text())
    stack = yaml.safe_load((ROOT / "deploy" / "compose.hosts.yml").read_text())
    first, last = map(int, re.findall(r":(\d+)-(\d+):", stack["services"]["worker"]["ports"][0])[0])
    assert [target.rpartition(":")[2] for target in hosts["targets"]] == [str(n) for n in range(first, last + 1)]
    (silent,) = [rule["expr"] for rule in shipped_promql.rules() if rule.get("alert") == "UnseamTargetDown"]
    ((label, value),) = hosts["labels"].items()
    assert f'{label}!="{value}"' in silent


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_gpu_host_gets_a_worker_for_each_gpu_and_another_is_told_what_to_do() -> None:
    def make(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["make", *words, "up"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert "WORKERS=3 deploy/prepare gpu" in make("--dry-run", "GPUS=3").stdout
    refused = make("GPUS=0")
    assert refused.returncode != 0
    assert "make up-cpu" in refused.stderr

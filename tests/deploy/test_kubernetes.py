from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
PACKAGES = ROOT / ".venv" / "kubernetes"
SCHEMAS = "1.33"
# Of KEDA and the Prometheus operator; npm has their schemas.
CUSTOM = {
    "ScaledObject": "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject",
    "PodMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor",
}
VALIDATE = """
const [module, kind] = process.argv.slice(1)
const resource = JSON.parse(require('fs').readFileSync(0))
import(module).then(known => new known[kind](resource).validate())
"""


def _resources() -> Iterator[dict[str, Any]]:
    names = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert sorted([*names, "kustomization.yaml"]) == sorted(path.name for path in KUBERNETES.glob("*.yaml"))
    for name in names:
        yield from yaml.safe_load_all((KUBERNETES / name).read_text())


def _of(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in _resources() if one["kind"] == kind}


def _pods() -> dict[str, dict[str, Any]]:
    return {name: one["spec"]["template"]["spec"] for name, one in _of("Deployment").items()}


def _named(resource: dict[str, Any]) -> str:
    return f"{resource['kind']}-{resource['metadata']['name']}"


@pytest.mark.parametrize("resource", [one for one in _resources() if one["kind"] not in CUSTOM], ids=_named)
def test_the_schemas_of_kubernetes_take_it(resource: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    validate.validate(resource, SCHEMAS, strict=True)


@pytest.mark.parametrize("resource", [one for one in _resources() if one["kind"] in CUSTOM], ids=_named)
def test_the_schemas_of_its_operator_take_it_and_refuse_another_field(resource: dict[str, Any]) -> None:
    if not (node := shutil.which("node")) or not (PACKAGES / "node_modules").is_dir():
        pytest.skip("KEDA's and the Prometheus operator's schemas are not installed: tests/install-system-packages")

    def check(one: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        command = [node, "-e", VALIDATE, CUSTOM[one["kind"]], one["kind"]]
        return subprocess.run(
            command, cwd=PACKAGES, input=json.dumps(one), capture_output=True, text=True, timeout=60, check=False
        )

    assert check(resource).returncode == 0, check(resource).stderr
    assert "spec" in check(resource | {"spec": {"nonsense": 1}}).stderr


def test_api_workers_and_janitor_are_there() -> None:
    assert set(_pods()) == {"api", "worker", "janitor"}
    assert set(_of("PodDisruptionBudget")) == {"api", "worker"}


@pytest.mark.parametrize("name", ["api", "worker", "janitor"])
def test_pods_have_no_root_and_a_read_only_root_file_system(name: str) -> None:
    pod = _pods()[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"]["memory"]


def test_settings_are_settings() -> None:
    lines = (KUBERNETES / "settings.env").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    given = {name.removeprefix(PREFIX).lower(): value for name, value in pairs.items()}
    assert set(given) <= set(Settings.model_fields)
    settings = Settings.model_validate(given)
    for pod in _pods().values():
        assert pod["terminationGracePeriodSeconds"] >= 30
    for name in ("api", "worker"):
        assert _pods()[name]["terminationGracePeriodSeconds"] > settings.drain_s


def test_the_scaler_targets_the_workers_by_a_metric_that_counts_running_work() -> None:
    scaled = _of("ScaledObject")["worker"]["spec"]
    assert scaled["scaleTargetRef"]["name"] in _of("Deployment")
    assert 0 < scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    (trigger,) = scaled["triggers"]
    assert trigger["type"] == "prometheus"
    tested = Path(__file__).with_name("alerts.test.yml").read_text()
    assert tested.count(f"expr: {trigger['metadata']['query']}\n") == 2, "with Redis there, and away"
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert set(trigger["metadata"]) == {"serverAddress", "query", "ignoreNullValues", "threshold"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA takes strings only"


def test_probes_ask_for_ports_that_are_named() -> None:
    for pod in _pods().values():
        for container in pod["containers"]:
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if asked := container.get(probe, {}).get("httpGet"):
                    assert asked["port"] in ports


def test_a_rolling_restart_waits_for_each_workers_networks_as_the_images_health_check_does() -> None:
    (worker,) = _pods()["worker"]["containers"]
    text = (ROOT / "docker" / "worker.Dockerfile").read_text()
    (check,) = re.findall(r"^HEALTHCHECK.*\\\n +CMD (.*)$", text, re.MULTILINE)
    assert worker["readinessProbe"]["exec"]["command"] == json.loads(check)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_puts_it_together() -> None:
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    made = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert len(made) == len(list(_resources())) + 1  # the settings
    assert all(one["metadata"].get("namespace", "unseam") == "unseam" for one in made)

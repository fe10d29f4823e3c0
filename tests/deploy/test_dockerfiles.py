from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_IN_IMAGES = {"benchmarks", "training"}
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def _packages() -> set[str]:
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    return {pattern.rstrip("*") for pattern in included} - NOT_IN_IMAGES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_image_holds_every_package_and_the_build_context_lets_them_through(path: Path) -> None:
    copied = set(re.findall(r"^COPY ([a-z]+)(?:/\*\.py)? \1/?$", path.read_text(), re.MULTILINE))
    assert copied == _packages()
    assert {f"!{name}" for name in copied} <= set((ROOT / ".dockerignore").read_text().splitlines())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dependencies_are_installed_before_any_code_is_copied(path: Path) -> None:
    text = path.read_text()
    assert text.index("touch README.md") < text.index("COPY imaging")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bases_are_pinned_arguments_and_the_last_user_is_not_root(path: Path) -> None:
    text = path.read_text()
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert re.search(r":\d+\.\d+\.\d+", base), f"{base} is not pinned"
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users
    assert set(users) <= {"unseam", "10001:10001"}


def test_the_api_image_has_no_runtime_and_no_torch() -> None:
    text = (ROOT / "docker" / "api.Dockerfile").read_text()
    assert re.findall(r"'\.(\[.*?\])?'", text) == ["[s3]"]


@pytest.mark.parametrize("name", ["worker", "exporter"])
def test_runtimes_report_nothing_to_their_makers(name: str) -> None:
    text = (ROOT / "docker" / f"{name}.Dockerfile").read_text()
    assert re.search(r"^ +ORT_DISABLE_TELEMETRY=1$", text, re.MULTILINE)
    assert "printf 0 > /var/lib/unseam/intel/openvino_telemetry" in text


def test_a_gpu_image_has_what_tensorrts_packages_are_built_with_before_them() -> None:
    text = (ROOT / "docker" / "worker.Dockerfile").read_text()
    assert "--no-build-isolation" in text
    assert re.search(r"pip install .*\bwheel-stub\b", text[: text.index("COPY pyproject.toml")])


def test_a_worker_with_torch_has_what_torch_compiles_with_and_where_to_keep_it() -> None:
    last = (ROOT / "docker" / "worker.Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r'case "\$EXTRAS" in \*export\*\) .*install .*\bgcc\b.*\bpython3-dev\b', last)
    assert "TRITON_CACHE_DIR=/var/lib/unseam/cache/" in last
    assert "TORCHINDUCTOR_CACHE_DIR=/var/lib/unseam/cache/" in last


def test_the_default_images_of_the_stack_are_those_of_the_dockerfiles() -> None:
    stack = "".join(path.read_text() for path in (ROOT / "deploy").glob("*.yml"))
    defaults = set(re.findall(r"\$\{(?:PYTHON|CUDA)_IMAGE:-([^}]+)\}", stack))
    assert defaults == {re.search(r"^ARG BASE=(\S+)$", path.read_text(), re.MULTILINE)[1] for path in FILES}  # type: ignore[index]

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export import cores, several, storage
from export import manifest as manifests
from export.artifact import Request
from export.manifest import Graph, Manifest
from models import registry

NAME = "ipt-v2-tiny-derain"


@pytest.mark.parametrize(("usable", "gigabytes", "jobs"), [(1, 64, 1), (2, 24, 2), (16, 64, 4), (16, 6, 1), (16, 1, 1)])
def test_as_many_networks_at_once_as_the_machine_bears(
    monkeypatch: pytest.MonkeyPatch, usable: int, gigabytes: int, jobs: int
) -> None:
    monkeypatch.setattr(cores, "usable", lambda: usable)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1 << 30, "SC_PHYS_PAGES": gigabytes}.__getitem__)
    assert several.bearable(10) == jobs
    assert several.bearable(1) == 1


def test_each_network_has_an_outcome_of_its_own(
    tmp_path: Path, save_artifact: Callable[[Manifest, Path], None]
) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "256.onnx").write_bytes(b"graph")
    graph = Graph(tile=256, file="256.onnx", sha256=manifests.file_sha256(tmp_path / NAME / "256.onnx"), nodes=1)
    card = registry.find(NAME)
    manifest = Manifest(
        name=NAME,
        version=card.version,
        task=card.task,
        network=card.network,
        scale=1,
        in_channels=3,
        out_channels=3,
        lattice=128,
        halo=64,
        weights_sha256=card.sha256,
        default=card.default,
        graphs=(graph,),
        backends=("onnx",),
    )
    save_artifact(manifest, tmp_path / NAME)
    outcomes = dict(several.export([NAME, "nothing"], Request(tmp_path, only_missing=True), 2, lambda step: None))
    assert outcomes[NAME] is None  # it is not missing
    assert isinstance(outcomes["nothing"], ValueError)
    assert "there is no model 'nothing'" in str(outcomes["nothing"])


def test_when_one_of_its_processes_is_killed_the_networks_that_have_not_ended_are_named(tmp_path: Path) -> None:
    def kill(step: str) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(several.LostProcessError, match=f"not exported: {NAME}, nothing; --jobs 1"):
        list(several.export([NAME, "nothing"], Request(tmp_path), 1, kill))


def test_when_the_command_is_killed_its_processes_end_and_nothing_half_is_left(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
from pathlib import Path
from export import several
from export.artifact import Request

if __name__ == "__main__":
    list(several.export([{NAME!r}], Request(Path(__file__).parent), 1, lambda step: print(step, flush=True)))
""")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{NAME}: folding\n"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)  # ends when the last process that holds the pipe does
    assert not (tmp_path / NAME).exists()
    with storage.locked(tmp_path, NAME, on_wait=lambda: pytest.fail("somebody still holds the lock")):
        pass

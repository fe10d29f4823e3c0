from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from export import manifest as manifests
from export import probe, staged, to_onnx
from export.fold import fold
from export.manifest import File, Manifest
from export.subject import Subject
from models.ipt_v2.model import IPTV2, Config
from models.network import RestorationNetwork

SMALL = Config(embed_dim=8, depths=(2, 2), num_heads=(1, 2), grid=4, window=16, cell=32)
TILE = 64


def randomised(network: RestorationNetwork) -> RestorationNetwork:
    """Weights as far from their first values as training takes them: a zero head would hide every error."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        with torch.no_grad():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def randomise() -> Callable[[RestorationNetwork], RestorationNetwork]:
    return randomised


@pytest.fixture(scope="session")
def network() -> RestorationNetwork:
    torch.manual_seed(0)
    return randomised(IPTV2(SMALL))


@pytest.fixture(scope="session")
def graph(network: RestorationNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / f"{TILE}.onnx"
    to_onnx.export(fold(network), path, TILE)
    return path


@pytest.fixture(scope="session")
def goldens() -> list[Path]:
    """What the authors' code answered, with its weights, beside the public test pictures."""
    root = Path(__file__).resolve().parents[2]
    found = sorted((Path(os.environ.get("UNSEAM_DATA", root / "../shared/data")).parent / "goldens").glob("*.json"))
    if not found:
        pytest.skip("no goldens beside UNSEAM_DATA")
    return found


@pytest.fixture
def subject(network: nn.Module) -> Subject:
    return Subject(
        model=network,
        name="ipt-v2-test",
        version=3,
        task="derain",
        network="ipt_v2",
        config_name=None,
        weights_sha256="0" * 64,
        licence="for tests",
        default=True,
    )


def artifact_of(manifest: Manifest, folder: Path) -> None:
    """Save the manifest with a probe, and its first graph as the only segment."""
    (folder / probe.FILE_NAME).write_bytes(b"probe")
    answers = File(file=probe.FILE_NAME, sha256=manifests.file_sha256(folder / probe.FILE_NAME))
    manifests.save(manifest.model_copy(update={"probe": answers}), folder)
    graph = manifest.graphs[0]
    only = staged.Stage(
        name="restored",
        reads=("picture",),
        lattice=1,
        halo=0,
        single=0,
        down=1,
        up=1,
        macs=1,
        file=graph.file,
        sha256=graph.sha256,
    )
    description = staged.Staged(
        weights_sha256=manifest.weights_sha256, lattice=1, in_channels=3, max_abs=0, stages=(only,)
    )
    staged.save(description, folder)


@pytest.fixture(scope="session")
def save_artifact() -> Callable[[Manifest, Path], None]:
    return artifact_of

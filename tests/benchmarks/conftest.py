from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from export import stage
from export.stage import Options
from export.subject import Subject
from models.ipt_v2.model import IPTV2, Config


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = IPTV2(Config(embed_dim=8, depths=(1, 1), num_heads=(1, 2), grid=4, window=16, cell=32)).eval()
    subject = Subject(model, "small", 1, "derain", "ipt_v2", None, "0" * 64, "", False, halo=16)
    folder = tmp_path_factory.mktemp("artifacts") / "small"
    folder.mkdir()
    stage.export(subject, folder, Options(backends=("onnx",), tiles=(64,), trust_halo=True))
    return folder


@pytest.fixture
def artifacts(exported: Path, tmp_path: Path) -> Path:
    """A folder with an artifact, `small`, of one tile, 64; a test may change it."""
    shutil.copytree(exported, tmp_path / "artifacts" / "small")
    return tmp_path / "artifacts"

"""Real artifacts of small networks with random weights: exported, with their segments."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from export import stage
from export.manifest import Manifest
from export.stage import Options
from export.subject import Subject
from models.ipt_v2.model import IPTV2, Config

TILES = (64,)


def write(root: Path, tiles: tuple[int, ...] = TILES) -> Manifest:
    """Export `root/small`, an IPT-V2 of four channels for derain."""
    torch.manual_seed(0)
    network = IPTV2(Config(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)).eval()
    nn.init.normal_(network.head.weight, std=0.1)
    folder = root / "small"
    folder.mkdir(parents=True)
    subject = Subject(network, "small", 1, "derain", "ipt_v2", None, "0" * 64, "", True, halo=16)
    return stage.export(subject, folder, Options(backends=("onnx",), tiles=tiles, trust_halo=True))

"""From the authors' GRL to ours: their constructor's arguments and their checkpoints' keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.grl.config import Config
from models.layers.keys import Rules, pair, refuse_others, rename

RULES: Rules = (
    # Depend on the constructor's picture size, or are computed here.
    (r"^(table|index|mask)_|relative_coords_table|relative_position_index|attn_mask", None),
    (r"^conv_first\.", "stem."),
    (r"^norm_start\.", "norm_in."),
    (r"^norm_end\.", "norm_out."),
    (r"^conv_after_body\.", "body."),
    (r"^layers\.", "stages."),
    (r"\.attn\.qkv\.body\.", ".attention.qkv."),
    (r"\.attn\.anchor\.body\.0\.reduction\.", ".attention.anchor."),
    (r"\.attn\.proj\.", ".attention.proj."),
    (r"\.attn\.window_attn\.attn_transform\.", ".attention.window.attention."),
    (r"\.attn\.stripe_attn\.attn_transform1\.", ".attention.stripe.gather."),
    (r"\.attn\.stripe_attn\.attn_transform2\.", ".attention.stripe.read."),
    (r"\.cpb_mlp\.", ".bias.mlp."),
    (r"\.conv\.cab\.0\.", ".local.conv1."),
    (r"\.conv\.cab\.2\.", ".local.conv2."),
    (r"\.conv\.cab\.3\.attention\.1\.", ".local.squeeze."),
    (r"\.conv\.cab\.3\.attention\.3\.", ".local.excite."),
    (r"^conv_before_upsample\.0\.", "tail.before."),
    (r"^upsample\.up\.(\d+)\.", r"tail.up\1."),
    (r"^conv_up(\d)\.", r"tail.up\1."),
    (r"^conv_(hr|last)\.", r"tail.\1."),
)

FIXED: dict[str, Any] = {"img_range": 1.0, "qkv_bias": True, "qkv_proj_type": "linear", "anchor_proj_type": "avgpool"}
FIXED |= {"anchor_one_stage": True, "out_proj_type": "linear", "conv_type": "1conv", "stripe_shift": True}
FIXED |= {"stripe_groups": [None, None], "euclidean_dist": False}
FIXED |= {"pretrained_window_size": [0, 0], "pretrained_stripe_size": [0, 0]}


def weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published state dict, whatever its prefix, to the keys of `GRL`."""
    renamed = rename(published, RULES)
    for key, tensor in renamed.items():  # 1x1 convolutions of the channel attention are linear layers here
        if key.endswith((".squeeze.weight", ".excite.weight")):
            renamed[key] = tensor.flatten(1)
    return renamed


def config(arguments: Mapping[str, Any]) -> Config:
    """Read the geometry from the authors' constructor arguments; raises ValueError for what no published model uses."""
    defaults: dict[str, Any] = {
        "img_size": 64,
        "in_channels": 3,
        "out_channels": None,
        "embed_dim": 96,
        "upscale": 2,
        "upsampler": "",
    }
    defaults |= {"depths": [6] * 6, "num_heads_window": [3] * 6, "num_heads_stripe": [3] * 6, "window_size": 8}
    defaults |= {"stripe_size": [8, 8], "mlp_ratio": 4.0, "anchor_window_down_factor": 1, "local_connection": False}
    refuse_others(arguments, FIXED, defaults)
    given = {**defaults, **arguments}
    return Config(
        embed_dim=given["embed_dim"],
        depths=tuple(given["depths"]),
        num_heads_window=tuple(given["num_heads_window"]),
        num_heads_stripe=tuple(given["num_heads_stripe"]),
        window_size=given["window_size"],
        stripe_size=pair(given["stripe_size"]),
        anchor_factor=given["anchor_window_down_factor"],
        trained_size=max(pair(given["img_size"])),
        mlp_ratio=given["mlp_ratio"],
        local_connection=given["local_connection"],
        in_channels=given["in_channels"],
        out_channels=given["out_channels"] or given["in_channels"],
        scale=given["upscale"],
        tail=given["upsampler"] or "conv",
    )

"""From the authors' iiTransformer to ours: their constructor's arguments and their checkpoints' keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.iitransformer.model import Config
from models.layers.keys import Rules, pair, refuse_others, rename

RULES: Rules = (
    (r"(relative_position_index|attn_mask)$", None),  # depend on the constructor's picture size; ours are computed
    (r"^conv_first\.", "stem."),
    (r"^patch_embed\.norm\.", "norm_in."),
    (r"^layers\.(\d+)\.residual_group\.blocks\.(\d+)\.", r"stages.\1.layers.\2."),
    (r"^layers\.(\d+)\.conv\.", r"stages.\1.conv."),
    (r"\.attn\.relative_position_bias_table$", ".attention.bias.table"),
    (r"\.attn\.", ".attention."),
    (r"^norm\.", "norm_out."),
    (r"^conv_after_body\.", "body."),
    (r"^conv_before_upsample\.0\.", "tail.before."),
    (r"^upsample\.(\d+)\.", r"tail.up\1."),
    (r"^conv_up(\d)\.", r"tail.up\1."),
    (r"^conv_(hr|last)\.", r"tail.\1."),
)

FIXED: dict[str, Any] = {
    "img_range": 1.0,
    "resi_connection": "1conv",
    "inter_pos": True,
    "inter_mask": True,
    "patch_size": 1,
}
FIXED |= {"ape": False, "patch_norm": True, "qkv_bias": True, "qk_scale": None}


def weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published state dict, whatever its prefix, to the keys of `IITransformer`."""
    return rename(published, RULES)


def config(arguments: Mapping[str, Any]) -> Config:
    """Read the geometry from the authors' constructor arguments; raises ValueError for what no published model uses."""
    defaults: dict[str, Any] = {
        "img_size": 64,
        "in_chans": 3,
        "embed_dim": 96,
        "depths": [6] * 4,
        "num_heads": [6] * 4,
        "window_size": 7,
    }
    defaults |= {"shift_sizes": None, "mlp_ratio": 4.0, "upscale": 2, "upsampler": "", "attn_types": None}
    refuse_others(arguments, FIXED, defaults)
    given = {**defaults, **arguments}
    depths, size = given["depths"], given["window_size"]
    kinds = given["attn_types"] or [["intra"] * depth for depth in depths]
    shifts = given["shift_sizes"] or [[size // 2 if layer % 2 else 0 for layer in range(depth)] for depth in depths]
    return Config(
        embed_dim=given["embed_dim"],
        num_heads=tuple(given["num_heads"]),
        kinds=tuple(map(tuple, kinds)),
        shifts=tuple(map(tuple, shifts)),
        window_size=size,
        trained_size=pair(given["img_size"]),
        mlp_ratio=given["mlp_ratio"],
        channels=given["in_chans"],
        scale=given["upscale"],
        tail=given["upsampler"] or "conv",
    )

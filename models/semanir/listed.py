"""Attention over the listed keys (SemanIR, Eq. 3) in torch's own operators: masking the others, or copying these.

Both take q, k and v as (G, num_heads, N, d), q scaled already, and the bias as (num_heads, 2h-1, 2w-1), one value per
offset (query - key) in the window, and return (G, num_heads, N, d).
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.layers.attention import MASKED, attend
from models.layers.chunks import in_chunks
from models.layers.position_bias import offsets, spread
from models.semanir.dictionary import EMPTY, Dictionary


def attend_masked(q: Tensor, k: Tensor, v: Tensor, dictionary: Dictionary, bias: Tensor) -> Tensor:
    """Dense products; in memory (G, num_heads, N, N), as many windows at a time as fit."""
    groups, heads, tokens, _ = q.shape
    h, w = dictionary.window
    every_pair = spread(bias, offsets(h, h, q.device), offsets(w, w, q.device))

    def run(part: slice) -> Tensor:
        scores_bias = every_pair + dictionary.penalty[part, None].to(every_pair.dtype)
        return attend(q[part], k[part], v[part], scores_bias)

    return in_chunks(run, groups, heads * tokens * tokens)


def attend_gathered(q: Tensor, k: Tensor, v: Tensor, dictionary: Dictionary, bias: Tensor) -> Tensor:
    """Products with copies of the listed keys; in memory (G, N, k, 2 * num_heads * d), as many windows as fit."""
    groups, heads, tokens, width = q.shape
    listed = dictionary.keys.shape[-1]
    rows = torch.stack((k, v)).permute(1, 3, 0, 2, 4).reshape(groups * tokens, -1)  # one row holds all heads of a token
    window = torch.arange(groups, device=q.device)[:, None, None] * tokens
    index = dictionary.keys.clamp(min=0) + window
    per_offset = bias.flatten(1).t()
    queries = q.transpose(1, 2)[..., None, :]

    def run(part: slice) -> Tensor:
        pair = rows.index_select(0, index[part].flatten()).reshape(-1, tokens, listed, 2, heads, width)
        keys, values = pair.permute(3, 0, 1, 4, 2, 5)
        scores = torch.matmul(queries[part], keys.transpose(-1, -2))[..., 0, :]
        position = per_offset.index_select(0, dictionary.offsets[part].flatten())
        position = position.reshape(-1, tokens, listed, heads).transpose(-1, -2)
        empty = (dictionary.keys[part] == EMPTY)[:, :, None]
        scores = scores + position.masked_fill(empty, MASKED)
        return torch.matmul(scores.softmax(-1)[..., None, :], values)[..., 0, :]

    return in_chunks(run, groups, tokens * listed * rows.shape[-1]).transpose(1, 2)

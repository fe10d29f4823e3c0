"""A stage of SemanIR: one dictionary, found at its start, that all its layers share."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from models.contamination import Chain
from models.layers.feed_forward import Mlp
from models.layers.resampling import Conv2d
from models.layers.rows import added
from models.layers.windows import Windows
from models.segments import Segment, declared
from models.semanir.attention import KeySemanticAttention
from models.semanir.dictionary import Dictionary, most_similar


class Stage(nn.Module):
    """Dictionary, layers, a 3x3 convolution, and the skip around them.

    The paper has no shift. Here every second stage shifts its windows by half, never inside a stage, so that the
    dictionary stays true for all its layers.

    Args:
        dim: channels.
        num_heads: attention heads.
        depth: layers.
        windows: the grid of the stage.
        mlp_ratio: hidden width of the feed-forward over `dim`.
        bias_hidden: width of the position bias's MLP.
    """

    def __init__(
        self, dim: int, num_heads: int, depth: int, windows: Windows, mlp_ratio: float, bias_hidden: int
    ) -> None:
        super().__init__()
        self.windows = windows
        self.layers = nn.ModuleList(
            Layer(dim, num_heads, windows.size[0], mlp_ratio, bias_hidden) for _ in range(depth)
        )
        self.conv = Conv2d(dim, dim, 3, padding=1)

    def segments(self, name: str, read: str, top_k: int) -> list[Segment]:
        """From the map `read` to the map `name`; every token attends to `top_k` others of its window."""
        attended = f"{name}.attended"
        skip: dict[str, Chain] = {attended: declared(self.conv), read: ()}
        return [
            Segment(attended, {read: ()}, partial(self.attend, top_k=top_k), lambda: (self.windows.layer,)),
            Segment(name, skip, lambda features, x: added(x, self.conv(features))),
        ]

    def attend(self, x: Tensor, top_k: int) -> Tensor:
        """Dictionary and layers, none of which leaves its window: (B, H, W, dim) to (B, H, W, dim)."""
        filled = self.windows.filled(x.shape[1], x.shape[2], x.device)
        dictionary = most_similar(self.windows.split(x), self.windows.size, top_k, filled)
        for layer in self.layers:
            x = layer(x, self.windows, dictionary)
        return x


class Layer(nn.Module):
    """Attention and feed-forward, each normalised after it and added: GRL's layer with key-semantic attention."""

    def __init__(self, dim: int, num_heads: int, window_size: int, mlp_ratio: float, bias_hidden: int) -> None:
        super().__init__()
        self.attention = KeySemanticAttention(dim, num_heads, window_size, bias_hidden)
        self.norm1 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, mlp_ratio)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, windows: Windows, dictionary: Dictionary) -> Tensor:
        """(B, H, W, dim) to (B, H, W, dim)."""
        x = added(x, self.norm1(self.attention(x, windows, dictionary)))
        return added(x, self.norm2(self.mlp(x)))

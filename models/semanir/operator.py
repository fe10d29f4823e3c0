"""Key-semantic attention as one operator of an ONNX graph, `unseam::key_semantic_attention`.

Its inputs and answer are those of `models.semanir.triton_attention.attend_listed`, so that `export.plugin` can run the
same kernel.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from models.semanir.dictionary import Dictionary
from models.semanir.listed import attend_masked

NAME = "unseam::key_semantic_attention"


def attend_operator(q: Tensor, k: Tensor, v: Tensor, dictionary: Dictionary, bias: Tensor) -> Tensor:
    """`models.semanir.listed.attend_masked`, which a graph exported meanwhile holds as one node."""
    apply: Any = _Operator.apply
    return cast(Tensor, apply(q, k, v, dictionary.keys.int(), bias))


class _Operator(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, q: Tensor, k: Tensor, v: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
        height, width = (side // 2 + 1 for side in bias.shape[1:])
        return attend_masked(q, k, v, Dictionary(keys.long(), (height, width)), bias)

    @staticmethod
    def symbolic(graph: Any, q: Any, k: Any, v: Any, keys: Any, bias: Any) -> Any:
        """What the exporter writes instead of `forward`'s operators."""
        # TensorRT prefers a plugin to a function's body where the node says whose plugin.
        plugin = {"plugin_namespace_s": NAME.partition("::")[0], "plugin_version_s": "1"}
        return graph.op(NAME, q, k, v, keys, bias, **plugin).setType(q.type())

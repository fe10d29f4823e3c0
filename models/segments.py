"""A network as a sequence of segments: what is computed in one go between two feature maps that are kept.

Tiling a whole network costs a halo of its whole contamination, often thousands of pixels. Between two kept maps only
the few layers of one segment count: tens of pixels, or none where attention stays inside absolute cells. So pictures of
any size are restored exactly, segment by segment (`imaging.staged`), and the untiled network is the same segments one
after the other: both forms are one definition.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from torch import Tensor, nn

from imaging.stages import PICTURE, Stage
from models.contamination import EDGES, Chain, Conv, Distances, Down, Up, common, lattice, shrinkage, spread
from models.network import RestorationNetwork


@dataclass(frozen=True)
class Segment:
    """One step from kept maps to the next kept map; all maps are (B, H, W, C).

    Attributes:
        name: of the segment, and of the map it gives.
        reads: the maps it takes, by name, and for each the layers between it and where all of them meet.
        compute: from those maps, in that order, to the new one.
        chain: the layers that follow where the maps have met; asked for only where a picture is to be cut.
        single: a map whose side is at most this many pixels, where the maps have met, is computed in another way (a
            single window is not shifted). A tile of such a map tells nothing about it.
        cell: the one map that it reads, as it is, is computed in cells of this side that overlap by half and fade into
            one another; what `compute` gives for a single cell is that cell's. 0 where tiles have a halo.
    """

    name: str
    reads: Mapping[str, Chain]
    compute: Callable[..., Tensor]
    chain: Callable[[], Chain] = tuple
    single: int = 0
    cell: int = 0


class SegmentedNetwork(RestorationNetwork):
    """A network that is defined by its segments."""

    @abstractmethod
    def segments(self) -> Sequence[Segment]:
        """The segments in order of computation; the last one gives the restored picture."""

    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, C, H, W); see `RestorationNetwork.restore`."""
        segments = self.segments()
        last_use = {name: place for place, segment in enumerate(segments) for name in segment.reads}
        maps = {PICTURE: x.permute(0, 2, 3, 1)}
        for place, segment in enumerate(segments):
            maps[segment.name] = segment.compute(*(maps[name] for name in segment.reads))
            for name in segment.reads:
                if last_use[name] == place:
                    del maps[name]
        return maps[segments[-1].name].permute(0, 3, 1, 2)


def declared(module: nn.Module) -> Chain:
    """The chain of a module: its own `chain`, that of a convolution, or of a sequence of those.

    Raises ValueError for any other module that is not known to work pixel by pixel.
    """
    own: Chain | None = getattr(module, "chain", None)
    if own is not None:
        return own
    if isinstance(module, nn.Sequential):
        return tuple(layer for child in module for layer in declared(child))
    if isinstance(module, nn.ConvTranspose2d | nn.Conv2d):
        return _of_convolution(module)
    if isinstance(module, POINTWISE):
        return ()
    raise ValueError(f"{type(module).__name__} does not declare how far it reaches")


def _of_convolution(module: nn.Conv2d | nn.ConvTranspose2d) -> Chain:
    """Its chain; raises ValueError unless it is square, not dilated, and of a shape that has one."""
    (kernel, *others), stride, padding = module.kernel_size, module.stride[0], module.padding[0]
    alike = [kernel] == others and set(module.stride) == {stride} and set(module.padding) == {padding}
    if not alike or set(module.dilation) != {1} or not isinstance(padding, int):
        raise ValueError(f"{module} is not square, or dilated: how far it reaches is not known")
    if isinstance(module, nn.ConvTranspose2d):
        if padding or any(module.output_padding) or kernel != stride:
            raise ValueError(f"{module} does not answer each pixel with a block of its own")
        return (Up(stride),)
    reach = Conv(max(padding, kernel - stride - padding))
    return (reach, Down(stride)) if stride > 1 else (reach,)


POINTWISE = (nn.Linear, nn.LayerNorm, nn.GELU, nn.LeakyReLU, nn.Identity)


def stages(network: SegmentedNetwork) -> tuple[Stage, ...]:
    """What execution by tiles has to know of each segment: resolution, lattice and halo, from its layers alone.

    Raises ValueError for a segment in cells that changes what it reads before they are cut.
    """
    steps = {PICTURE: Fraction(1)}
    result = []
    for segment in network.segments():
        distances, step, pitch = _after(segment, steps, dict.fromkeys(segment.reads, _CLEAN))
        if segment.cell and list(segment.reads.values()) != [()]:
            raise ValueError(f"{segment.name} is computed in cells, and has to read one map as it is")
        steps[segment.name] = step
        met = step / shrinkage(segment.chain())
        result.append(
            Stage(
                segment.name,
                tuple(segment.reads),
                lattice=pitch,
                halo=0 if segment.cell else ceil(max(distances) * step),
                single=ceil(segment.single * met),
                down=step.numerator,
                up=step.denominator,
                cell=int(segment.cell * met),
            )
        )
    return tuple(result)


def contamination(network: SegmentedNetwork) -> tuple[int, int]:
    """Lattice and contamination c of the whole network, in output pixels for c and input pixels for the lattice."""
    steps, distances = {PICTURE: Fraction(1)}, {PICTURE: _CLEAN}
    pitches, last = [], PICTURE
    for segment in network.segments():
        distances[segment.name], steps[segment.name], pitch = _after(segment, steps, distances)
        pitches.append(Fraction(pitch))
        last = segment.name
    return int(common(pitches)), max(distances[last])


_CLEAN: Distances = (0,) * len(EDGES)


def _after(
    segment: Segment, steps: Mapping[str, Fraction], distances: Mapping[str, Distances]
) -> tuple[Distances, Fraction, int]:
    """Contamination and step (picture pixels for each of its own) of the map that a segment gives, and its lattice."""
    met = {name: spread(chain, distances[name]) for name, chain in segment.reads.items()}
    sizes = {steps[name] * shrinkage(chain) for name, chain in segment.reads.items()}
    if len(sizes) != 1:
        raise ValueError(f"the maps that {segment.name} reads meet at different sizes: {sorted(sizes)}")
    (size,) = sizes
    layers = segment.chain()
    pitches = [lattice(chain + layers, steps[name]) for name, chain in segment.reads.items()]
    largest = tuple(map(max, zip(*met.values(), strict=True)))
    return spread(layers, largest), size * shrinkage(layers), int(common(map(Fraction, pitches)))

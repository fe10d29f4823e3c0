"""One artifact, made under its lock: whole or not at all, and not twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export import ladder, staged, storage
from export import manifest as manifests
from export.manifest import Attention, Backend, Manifest, ManifestError, Precision
from models import registry
from models.registry import Card

if TYPE_CHECKING:
    from export.subject import Subject

Say = Callable[[str], object]


@dataclass(frozen=True)
class Request:
    """What to make, and where; None and () stand for the defaults of `export.stage.Options`."""

    root: Path
    backends: tuple[Backend, ...] = ()
    tiles: tuple[int, ...] | None = None
    precision: Precision | None = None
    attention: Attention | None = None
    only_missing: bool = False
    one_pass: bool = False

    @property
    def steps(self) -> int:
        """How many steps one network takes, as a progress bar has to guess."""
        return 1 + len(self.tiles or (0, 0)) * (1 + (len(self.backends) or 2))


def of_card(name: str, request: Request, on_step: Say, on_wait: Callable[[], None]) -> Manifest | None:
    """Make the artifact of a shipped network; None if only missing ones are wanted and it is there.

    Raises what `export.stage.export` raises.
    """

    def load() -> Subject:
        from export import subject

        return subject.from_card(registry.find(name))

    return make(name, load, request, on_step, on_wait)


def make(
    name: str, load: Callable[[], Subject], request: Request, on_step: Say, on_wait: Callable[[], None]
) -> Manifest | None:
    """Make the artifact of the network that `load` gives; torch is imported only when it is known to be needed.

    Args:
        name: the artifact's.
        load: makes the network.
        request: what to make.
        on_step: told in a few words what begins.
        on_wait: told once if another export of the same name is running.

    Returns:
        The manifest; None if only missing ones are wanted and it is there.
    """
    with storage.locked(request.root, name, on_wait):
        if request.only_missing and present(registry.find(name), request):
            return None
        from export import stage

        options = stage.Options(
            request.backends,
            request.tiles,
            request.precision or "fp32",
            request.attention,
            trust_halo=request.only_missing and not request.tiles,
            one_pass=request.one_pass,
        )
        with storage.replacing(request.root, name) as folder:
            return stage.export(load(), folder, options, on_step)


def present(card: Card, request: Request) -> bool:
    """Whether there is an unaltered artifact of the card's weights, version, halo and standing, with a probe.

    In the precision, with the tiles, the attention and the backends asked for, if any; and with the tiles that one pass
    wants, if it is asked for.
    """
    folder = request.root / card.name
    try:
        manifest = manifests.load(folder)
        if manifest.precision == "fp32":
            staged.load(folder)
    except ManifestError:
        return False
    told = manifest.weights_sha256, manifest.version, manifest.default  # two defaults of a task would be one by chance
    if request.tiles:
        tiled = ladder.raised(request.tiles, manifest.lattice) == manifest.tiles
    else:
        wanted = ladder.usual(manifest.scale, manifest.lattice, one_pass=True) if request.one_pass else ()
        tiled = manifest.tiles[-1] >= max(wanted, default=0)
    return (
        told == (card.sha256, card.version, card.default)
        and manifest.halo == ladder.fitting(card.halo or manifest.halo, manifest.tiles[-1], manifest.lattice)
        and request.precision in (None, manifest.precision)
        and (not request.attention or manifest.attention in (None, request.attention))  # None: it has no such attention
        and set(request.backends) <= set(manifest.backends)
        and manifest.probe is not None
        and tiled
    )

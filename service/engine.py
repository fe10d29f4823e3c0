"""An exported network made ready to restore pictures: artifact and runner in, warm engine out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from export import runners
from export.manifest import Manifest
from export.runners import BackendError, Runner
from imaging import mosaic, tiling
from imaging.errors import PlanError, UnsupportedImage
from imaging.restoration import Run, read, restore
from imaging.tiling import Plan
from service.catalogue import Artifact

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

TILE_UNIT_PIXELS: Final = 256 * 256


def tile_units(plan: Plan) -> float:
    """What a plan costs: pixels run through the network, halos included, in units of 256 x 256."""
    height, width = plan.tile_shape
    return len(plan) * height * width / TILE_UNIT_PIXELS


def cut(
    manifest: Manifest,
    height: int,
    width: int,
    *,
    tile: int | None = None,
    halo: int | None = None,
    pattern: str | None = None,
    fixed: bool = True,
) -> Plan:
    """Plan a picture's tiles for a network.

    Args:
        manifest: the network's.
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        tile: one of the manifest's tiles, or 0 for the whole picture at once; by default the one of least work.
        halo: by default the manifest's.
        pattern: of a mosaic, by default the manifest's; another one is begun a row or column earlier.
        fixed: the runner takes the manifest's tiles only, not any multiple of the lattice.

    Raises:
        PlanError: tile and halo do not go together, or the runner has no such tile.
    """
    if fixed and tile is not None and tile not in manifest.tiles:
        offered = ", ".join(map(str, manifest.tiles))
        whole = " (tile 0, the whole picture at once, needs the torch backend)" if tile == 0 else ""
        raise PlanError(f"{manifest.name} was exported for tiles of {offered}, not of {tile}{whole}")
    halo = manifest.halo if halo is None else halo
    rows, columns = mosaic.offset(pattern, manifest.pattern)
    height, width = height + rows, width + columns

    def planned(side: int, around: int) -> Plan:
        return tiling.plan(
            height, width, tile=side, halo=around, lattice=manifest.lattice, scale=manifest.scale, fixed=fixed
        )

    if tile is not None:
        return planned(tile, halo)

    def candidates() -> Iterator[Plan]:
        extents = {-(-side // manifest.lattice) * manifest.lattice for side in (height, width)}
        for side in manifest.tiles:
            with suppress(PlanError):  # a small tile may have no core inside the halo: it serves small pictures only
                # A picture that is exactly one tile has no cut, hence needs no halo.
                yield planned(side, 0 if extents == {side} else halo)

    plans = list(candidates())
    return min(plans, key=tile_units) if plans else planned(manifest.tiles[-1], halo)


class BatchObserver(Protocol):
    """Is told of every call of the network."""

    def __call__(self, tiles: int, seconds: float | None) -> object:
        """`tiles` took `seconds`; None says that they did not fit in memory."""
        ...


Through = Callable[[Run, Plan], Run]  # puts something around the network for one picture


@dataclass(frozen=True)
class Options:
    """How engines run on this host: see `service.settings.Settings`, whose fields these are."""

    backend: str | None = None
    device: str = "cpu"
    threads: int | None = None
    batch: int = 1


class Engine:
    """One network on one backend; as many threads at once may call `restore` as the runners bear.

    Attributes:
        manifest: the network's.
        backend: the runtime in use.
    """

    def __init__(
        self, artifact: Artifact, options: Options = Options(), load: Callable[..., Runner] = runners.load
    ) -> None:
        self.manifest = artifact.manifest
        self._folder = artifact.folder
        self._options = options
        self._load = load
        self._runners: dict[Path, Runner] = {}
        self.backend = self._first_usable()

    def cut(
        self, height: int, width: int, *, tile: int | None = None, halo: int | None = None, pattern: str | None = None
    ) -> Plan:
        """Plan a picture's tiles; see the function `cut`."""
        fixed = self.backend != "torch"
        return cut(self.manifest, height, width, tile=tile, halo=halo, pattern=pattern, fixed=fixed)

    def warm(self) -> float:
        """Load every graph and run it once; returns seconds per tile unit, as measured on the largest."""
        manifest = self.manifest
        for side in manifest.tiles:
            run = self._runner(self.backend, side)
            tile = np.zeros((1, manifest.in_channels, side, side), dtype=np.float32)
            start = time.perf_counter()
            run(tile)
            seconds = time.perf_counter() - start
        return seconds * TILE_UNIT_PIXELS / manifest.tiles[-1] ** 2

    def restore(
        self,
        image: Array,
        plan: Plan,
        *,
        pattern: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
        on_batch: BatchObserver | None = None,
        through: Through | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Array:
        """Restore (H, W, C), values 0..1, to (scale * H, scale * W, C'); `pattern` is that of the plan.

        Raises what `imaging.restoration.restore` raises; UnsupportedImage if the network takes other channels.
        """
        self._check(image)
        run: Run = self._runner(self.backend, plan.tile_shape[0])
        if on_batch:
            run = _observed(run, on_batch)
        rows, columns = mosaic.offset(pattern, self.manifest.pattern)
        restored = restore(
            mosaic.begun_earlier(image, rows, columns),
            through(run, plan) if through else run,
            plan,
            batch=self._options.batch,
            in_channels=self.manifest.in_channels,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        return restored[rows * plan.scale :, columns * plan.scale :]

    def restore_tiles(
        self, image: Array, plan: Plan, positions: list[tuple[int, int]], *, pattern: str | None = None
    ) -> Array:
        """The network's answers for some of a picture's tiles: (N, C', scale * T, scale * T). Raises as `restore`."""
        self._check(image)
        run = self._runner(self.backend, plan.tile_shape[0])
        whole = mosaic.begun_earlier(image, *mosaic.offset(pattern, self.manifest.pattern))
        return run(read(whole, plan, positions, self.manifest.in_channels))

    def _check(self, image: Array) -> None:
        channels, taken = image.shape[2], self.manifest.in_channels
        if channels != 1 and self.manifest.pattern:
            raise UnsupportedImage(
                "A mosaic is a grey picture, each pixel under its colour filter; this one has colours already.",
                channels=channels,
                allowed=[1],
            )
        if channels not in (1, taken):
            raise UnsupportedImage(
                f"{self.manifest.name} takes pictures of {taken} channel(s), and this one has {channels}.",
                channels=channels,
                allowed=[taken],
            )

    def _first_usable(self) -> str:
        """The wanted backend, or the first of the manifest's that this host can load."""
        wanted = (self._options.backend,) if self._options.backend else self.manifest.backends
        faults = []
        for backend in wanted:
            try:
                self._runner(backend, self.manifest.tiles[0])
            except BackendError as error:
                log.warning("%s does not run on %s: %s", self.manifest.name, backend, error)
                faults.append(str(error))
            else:
                return backend
        raise BackendError(f"{self.manifest.name} runs on no backend here: {'; '.join(faults)}")

    def _runner(self, backend: str, side: int) -> Runner:
        path = self._file(backend, side)
        if path not in self._runners:
            options = self._options
            self._runners[path] = self._load(backend, path, device=options.device, threads=options.threads)
        return self._runners[path]

    def _file(self, backend: str, side: int) -> Path:
        if backend != "torch":
            return self._folder / self.manifest.graph(side).file
        if self.manifest.weights is None:
            raise BackendError(f"{self.manifest.name} was exported without the weights that the torch backend needs")
        return self._folder / self.manifest.weights.file


def _observed(run: Run, on_batch: BatchObserver) -> Callable[[Array], Array]:
    def observed(tiles: Array) -> Array:
        start = time.perf_counter()
        try:
            restored = run(tiles)
        except MemoryError:
            on_batch(len(tiles), None)
            raise
        on_batch(len(tiles), time.perf_counter() - start)
        return restored

    return observed

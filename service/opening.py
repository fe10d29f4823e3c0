"""The graphs of one artifact, opened on the first backend of this host that computes what the network does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from export.manifest import File, ManifestError
from export.runners import BackendError, Runner
from export.staged import open_runs
from imaging import staged
from imaging.errors import OutOfMemory
from imaging.flow import Run
from service.catalogue import Artifact
from service.errors import NotReady
from service.observation import StageObserver
from service.planning import tile_units
from service.trial import Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How engines run on this host: see `service.settings.Settings`, whose fields most of these are.

    Attributes:
        torch: whether torch may be among the backends where none is named; it may not in a process that serves HTTP.
        tried: whether what is opened is run on the artifact's probe before it is used.
    """

    backend: str | None = None
    device: str = "cpu"
    threads: int | None = None
    batch: int = 1
    torch: bool = True
    tried: bool = True


DEFAULTS: Final = Options()


class Graphs:
    """What computes an artifact's tiles and segments; each is opened once, when it is first asked for.

    Attributes:
        backend: the runtime in use; another one after `give_up`.
    """

    def __init__(
        self,
        artifact: Artifact,
        options: Options,
        load: Callable[..., Any],
        load_segment: Callable[..., Any],
        on_stage: StageObserver | None,
    ) -> None:
        """Raises BackendError if no backend runs here."""
        self._artifact, self._manifest, self._options = artifact, artifact.manifest, options
        self._load, self._load_segment, self._on_stage = load, load_segment, on_stage
        self._opened: dict[Path, Runner] = {}
        self._faults: dict[str, str] = {}
        self.backend = self._first_usable()

    def tiles(self, side: int) -> Runner:
        """What computes tiles of this side. Raises NotReady if the artifact was replaced, BackendError as `give_up`."""
        return self._tiles(self.backend, side)

    def segments(self) -> Mapping[str, Run]:
        """What computes each segment of an artifact that has them, by name. Raises as `tiles`."""
        description, options = self._artifact.staged, self._options
        assert description
        with self._as_at_the_start():
            runs = open_runs(
                description,
                self._artifact.folder,
                self.backend,
                device=options.device,
                threads=options.threads,
                load=self._load_segment,
            )
            if options.tried:
                self._try_segments(runs)
        return runs

    def give_up(self, error: BackendError) -> None:
        """Go on with the next backend, for this one fails or computes something else.

        Raises BackendError where there is none.
        """
        self._blame(self.backend, error)
        self._opened.clear()
        self.backend = self._first_usable()

    def _first_usable(self) -> str:
        """The wanted backend, or the first of the manifest's that this host can use."""
        options = self._options
        for backend in (options.backend,) if options.backend else self._manifest.backends:
            if backend == "torch" and not options.torch:
                self._faults[backend] = "torch runs in workers alone"
            if backend not in self._faults:
                try:
                    self._tiles(backend, self._manifest.tiles[0])
                except BackendError as error:
                    self._blame(backend, error)
                else:
                    return backend
        raise BackendError(f"{self._manifest.name} runs on no backend here: {'; '.join(self._faults.values())}")

    def _blame(self, backend: str, error: BackendError) -> None:
        log.warning("%s does not run on %s: %s", self._manifest.name, backend, error)
        self._faults[backend] = str(error)

    def _tiles(self, backend: str, side: int) -> Runner:
        file, options = self._file(backend, side), self._options
        path = self._artifact.folder / file.file
        if path not in self._opened:
            with self._as_at_the_start():
                run = self._load(backend, path, device=options.device, threads=options.threads, sha256=file.sha256)
                if options.tried:
                    self._try_tiles(run, backend, side)
            self._opened[path] = run
        return self._opened[path]

    def _try_tiles(self, run: Runner, backend: str, side: int) -> None:
        """On a GPU with a full batch too: a runtime may make itself ready for its size, too slowly for within a job."""
        trial, batch = Trial(self._artifact), self._options.batch
        tile = trial.tile(side)
        trial.judge(run(tile), side, f"{backend} at tile {side}")
        if batch > 1 and self._options.device != "cpu":
            with suppress(OutOfMemory):  # pictures then go in smaller ones
                trial.judge(run(np.repeat(tile, batch, axis=0)), side, f"{backend} at tile {side} in batches")

    def _try_segments(self, runs: Mapping[str, Run]) -> None:
        assert self._artifact.staged
        trial, side = Trial(self._artifact), self._manifest.tiles[0]
        layout = self._artifact.staged.layout(side, side)
        picture = trial.tile(side)[0].transpose(1, 2, 0)
        start = time.perf_counter()
        restored = staged.restore(picture, runs, layout, in_channels=self._manifest.in_channels)
        if self._on_stage:
            self._on_stage(tile_units(layout), time.perf_counter() - start)
        trial.judge(restored.transpose(2, 0, 1)[None], side, f"{self.backend} in segments")

    def _file(self, backend: str, side: int) -> File:
        if backend != "torch":
            return self._manifest.graph(side)
        if self._manifest.weights is None:
            raise BackendError(f"{self._manifest.name} was exported without the weights that the torch backend needs")
        return self._manifest.weights

    @contextmanager
    def _as_at_the_start(self) -> Iterator[None]:
        """Open files that are still those of the manifest: answers under one name come from one network."""
        name = self._manifest.name
        try:
            yield
        except ManifestError as error:
            raise NotReady(
                f"{name} was exported anew, and this process has the former one: it has to be restarted.",
                retry_after_s=60,
            ) from error

"""The networks of one process: loaded and warmed once, then called by many threads in shared batches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import runners
from export.runners import Runner
from service.catalogue import Artifact, Catalogue
from service.engine import Engine, Options
from service.jobs.batching import Batcher
from service.jobs.pace import Pace
from service.metrics import Metrics
from service.planning import TILE_UNIT_PIXELS

log = logging.getLogger(__name__)

Load = Callable[..., Runner]


class Inference:
    """Warm engines, by name; each may be used by any thread.

    Attributes:
        ready: set once every engine is warm.
        fault: why there will be no engines, if loading them failed.
        batcher: the thread that calls the networks.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        options: Options,
        *,
        metrics: Metrics,
        pace: Pace,
        fixed_batch: bool = False,
        load: Load = runners.load,
    ) -> None:
        self._catalogue, self._options, self._load = catalogue, options, load
        self._metrics, self._pace = metrics, pace
        self._engines: Mapping[str, Engine] = {}
        self._settled = threading.Event()
        self.batcher = Batcher(options.batch, fixed=fixed_batch)
        self.ready = threading.Event()
        self.fault: Exception | None = None

    def start(self) -> None:
        """Begin to load; `ready` or `fault` says how it went."""
        self.batcher.start()
        threading.Thread(target=self._load_all, name="load", daemon=True).start()

    def engine(self, model: str) -> Engine:
        """A warm engine; waits until there is one. Raises RuntimeError if there will be none."""
        self._settled.wait()
        if self.fault:
            raise RuntimeError("the engines did not load") from self.fault
        return self._engines[model]

    def has(self, model: str) -> bool:
        """Whether a network is among those that are warm, or will be."""
        return any(artifact.manifest.name == model for artifact in self._catalogue.artifacts)

    def wait(self) -> None:
        """Wait until every engine is warm. Raises why they are not."""
        self._settled.wait()
        if self.fault:
            raise self.fault

    def stop(self, timeout_s: float) -> None:
        """End the thread; one that is still inside a runtime's call by then is left to end with the process."""
        if not self.batcher.stop(timeout_s):
            log.warning("the inference thread does not end")

    def _load_all(self) -> None:
        try:
            self._engines = {artifact.manifest.name: self._warm(artifact) for artifact in self._catalogue.artifacts}
            for engine in self._engines.values():  # all at once: whoever sees one knows that every one is warm
                self._announce(engine)
            self.ready.set()
        except Exception as error:
            log.exception("no engine could be made")
            self.fault = error
        self._settled.set()

    def _warm(self, artifact: Artifact) -> Engine:
        manifest = artifact.manifest

        def observe(units: float, seconds: float | None, backend: str | None = None) -> None:
            if seconds is None:
                self._metrics.oom_retries.inc()
                return
            self._pace.observe(manifest.name, units, seconds)
            self._metrics.tile_units.labels(manifest.task, backend or engine.backend).inc(units)
            self._metrics.worker_last_progress.set_to_current_time()

        def observe_batch(backend: str, tiles: NDArray[np.float32], seconds: float | None) -> None:
            count, _, height, width = tiles.shape
            observe(count * height * width / TILE_UNIT_PIXELS, seconds, backend)
            if seconds is not None:
                self._metrics.batch_size.observe(count)

        def load(backend: str, *which: Any, **options: Any) -> Callable[..., Any]:
            runner = self.batcher.call(lambda: self._load(backend, *which, **options))
            return self.batcher.shared(runner, partial(observe_batch, backend))  # runs before there is an engine

        def load_segment(*which: Any, **options: Any) -> Callable[..., Any]:
            runner = self.batcher.call(lambda: self._load(*which, **options))
            return lambda *maps: self.batcher.call(lambda: runner(*maps))  # of whatever shape a picture gives them

        engine = Engine(artifact, self._options, load=load, load_segment=load_segment, on_stage=observe)
        engine.warm()
        return engine

    def _announce(self, engine: Engine) -> None:
        manifest = engine.manifest
        labels = manifest.name, engine.backend, manifest.precision, str(manifest.version)
        self._metrics.model_info.labels(*labels).set(1)

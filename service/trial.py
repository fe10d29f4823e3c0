"""Is what answers here the network? Its answers to the artifact's probe tell, wherever they were computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export import probe
from export.manifest import check_file
from export.runners import BackendError
from service.catalogue import Artifact

Array = NDArray[np.float32]


class Trial:
    """What is asked of an artifact's runners, and what they have to answer.

    An artifact of an older format has no probe: black tiles are asked then, and any answer will do.
    """

    def __init__(self, artifact: Artifact) -> None:
        """Raises ManifestError if the probe is another by now."""
        self._manifest = artifact.manifest
        self._probe: probe.Probe | None = None
        if file := artifact.manifest.probe:
            check_file(artifact.folder / file.file, file.sha256)
            self._probe = probe.load(artifact.folder / file.file)

    def tile(self, side: int) -> Array:
        """(1, C, side, side), values 0..1; any side of the manifest's tiles."""
        if self._probe:
            return probe.tile(self._probe.picture, side)
        return np.zeros((1, self._manifest.in_channels, side, side), np.float32)

    def judge(self, answers: Array, side: int, who: str) -> None:
        """Raise BackendError unless (N, C', scale * side, scale * side) are the network's answers to N such tiles.

        The message begins with `who` answered.
        """
        if self._probe and (fault := self._probe.compare(side, answers).fault(self._manifest.precision)):
            raise BackendError(f"{who} {fault}")

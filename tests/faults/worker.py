"""`unseam worker` with a slower network, and one that takes the process down when it meets the poison picture."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import runners
from export.runners import Runner
from service.commands import worker

time.sleep = threading.Event().wait  # libfaketime breaks the call that sleep makes, not the one that waiting makes

TILE_S = 0.02
POISON = 77 / 255  # every pixel of the poison picture


def load(backend: str, path: Path, **options: Any) -> Runner:
    run = runners.load(backend, path, **options)

    def careful(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        if any(np.allclose(tile, POISON, atol=1e-4) for tile in tiles):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(TILE_S * len(tiles) if tiles.any() else 0)
        return run(tiles)

    return careful


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(worker.run(argparse.Namespace(device="cpu", metrics_port=0), load))

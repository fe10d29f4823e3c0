"""A process that really runs out of memory takes smaller tiles, and gives the same picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import small_networks

SIDE = 900
ROOM_MB = 160  # beyond what the warm engine has; the whole picture takes more than that, a quarter of it less
RESTORE = """
import resource, sys
import numpy as np
from pathlib import Path
from service.catalogue import Artifact
from service.engine import Engine, Options

folder, picture, limited = Path(sys.argv[1]), np.load(sys.argv[2]), sys.argv[3] == "limited"
engine = Engine(Artifact.read(folder / "small"), Options(threads=1))
engine.restore(picture[:70, :70], engine.chart(70, 70, tile=0))
if limited:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[4]) * 2**20,) * 2)
np.save(sys.argv[5], engine.restore(picture, engine.chart(*picture.shape[:2], tile=0)))
"""


def test_a_full_memory_makes_the_tiles_smaller_and_no_pixel_another(tmp_path: Path) -> None:
    small_networks.write(tmp_path)
    np.save(tmp_path / "picture.npy", np.random.default_rng(0).random((SIDE, SIDE, 3), dtype=np.float32))
    restored, said = [], []
    for limit in ("free", "limited"):
        arguments = [str(tmp_path), str(tmp_path / "picture.npy"), limit, str(ROOM_MB), str(tmp_path / f"{limit}.npy")]
        child = subprocess.run(
            [sys.executable, "-c", RESTORE, *arguments],
            env=os.environ | {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        said.append(child.stderr)
        restored.append(np.load(tmp_path / f"{limit}.npy"))
    assert "does not fit in memory" not in said[0]
    assert "does not fit in memory" in said[1]
    assert np.abs(restored[0] - restored[1]).max() * 255 <= 0.01
    levels = [np.rint(one.clip(0, 1) * 255) for one in restored]
    assert np.mean(levels[0] == levels[1]) >= 0.9995

"""A network in segments, as exported: what `staged.json` says, and the runners of its graphs. Loads no torch.

The file lies beside the artifact's manifest and is sealed like it: it names each graph with that graph's sha256.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from export import runners
from export.manifest import FileName, ManifestError, Sha256, check_format, file_sha256
from imaging import stages as planning
from imaging.flow import Run
from imaging.stages import Layout

FILE_NAME: Final = "staged.json"
FORMAT: Final = 2


class Stage(BaseModel):
    """One segment; fields as in `imaging.stages.Stage`, its graph, and what it costs.

    The graph takes maps (N, h, w, C) of any size that its lattice allows; of cells, one or several of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1)]
    reads: tuple[str, ...] = Field(min_length=1)
    lattice: int = Field(ge=1)
    halo: int = Field(ge=0)
    single: int = Field(ge=0)
    down: int = Field(ge=1)
    up: int = Field(ge=1)
    file: FileName
    sha256: Sha256
    macs: float = Field(ge=0, description="multiply-accumulates for a tile's pixel")
    cell: int = Field(default=0, ge=0)

    @property
    def geometry(self) -> planning.Stage:
        """What execution has to know."""
        return planning.Stage(
            self.name, self.reads, self.lattice, self.halo, self.single, self.down, self.up, self.macs, self.cell
        )


class Staged(BaseModel):
    """All segments of one network.

    Attributes:
        weights_sha256: of the weights that were exported, as in the manifest.
        max_abs: how far the segments' maps are from torch's at most, relative where a map's values exceed 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = FORMAT
    weights_sha256: Sha256
    lattice: int = Field(ge=1)
    in_channels: int = Field(ge=1)
    max_abs: float = Field(ge=0)
    stages: tuple[Stage, ...] = Field(min_length=1)

    def layout(self, height: int, width: int, tile: int | None = None) -> Layout:
        """Plan a picture, with tiles of `tile` at most, by default of 512 or more; 0 is the whole picture as one tile.

        Raises PlanError for a tile without a core.
        """
        geometry = [stage.geometry for stage in self.stages]
        if tile is None:
            return planning.economical(height, width, geometry, lattice=self.lattice)
        return planning.layout(height, width, geometry, tile=tile, lattice=self.lattice)


def save(description: Staged, folder: Path) -> None:
    """Write `staged.json` into an artifact's folder."""
    (folder / FILE_NAME).write_text(description.model_dump_json(indent=2) + "\n")


def load(folder: Path) -> Staged:
    """Read `staged.json` and check every graph it names. Raises ManifestError if one is absent or altered."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text())
        check_format(path, content, FORMAT)
        description = Staged.model_validate(content)
    except ManifestError:
        raise  # a ValueError too, and plain already
    except OSError as error:
        raise ManifestError(f"{folder.name} has no segments ({path}: {error.strerror}): export again") from error
    except (ValueError, ValidationError) as error:
        raise ManifestError(f"{path} is not valid: export again") from error
    for stage in description.stages:
        graph = folder / stage.file
        if not graph.is_file() or file_sha256(graph) != stage.sha256:
            raise ManifestError(f"{graph} is missing or was altered after the export: export again")
    return description


def open_runs(
    description: Staged,
    folder: Path,
    backend: str = "onnx",
    *,
    device: str = "cpu",
    threads: int | None = None,
    load: Callable[..., Run] = runners.load,
) -> Mapping[str, Run]:
    """The runner of each stage, by name: ONNX Runtime's, but for torch, which computes them with the network itself.

    `load` opens one graph, as `export.runners.load`. Raises BackendError; ManifestError if a graph is another by now.
    """
    if backend == "torch":
        torch = import_module("export.runners.torch")  # by name: it needs a package that is not everywhere
        runs: Mapping[str, Run] = torch.load_segments(folder / "weights.safetensors", device=device, threads=threads)
        return runs
    return {
        stage.name: load("onnx", folder / stage.file, device=device, threads=threads, sha256=stage.sha256)
        for stage in description.stages
    }

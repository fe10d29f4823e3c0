"""`manifest.json`: everything the service has to know about one exported network, and the proof that it is unaltered.

The manifest names each file of its artifact with that file's sha256, and carries the sha256 of its own content. `load`
checks them all, so a graph, a weight or a measured figure that was changed after the export is refused. This guards
against mix-ups and damage, not against an author who means harm: whoever can write an artifact can write its digest.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, model_validator

FORMAT: Final = 2
FILE_NAME = "manifest.json"

Backend = Literal["onnx", "openvino", "tensorrt", "tensorrt-rtx", "torch"]
ENGINES: Final[tuple[Backend, ...]] = ("tensorrt", "tensorrt-rtx")  # made for whole tiles of one size
Precision = Literal["fp32", "fp16", "bf16"]
Attention = Literal["mask", "gather", "operator"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# One plain name: a manifest can never reach outside its own folder.
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
FileName = Annotated[str, StringConstraints(pattern=NAME)]
Name = FileName


class ManifestError(ValueError):
    """A manifest, or a file it names, cannot be used; the message says which and what to do about it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class File(_Part):
    """A file beside the manifest, and its digest."""

    file: FileName
    sha256: Sha256


class Graph(File):
    """One ONNX graph: square tiles of one size, any batch; input `input`, output `output`, both float32 NCHW."""

    tile: int = Field(gt=0, description="side of the input tile, pixels")
    nodes: int = Field(gt=0, description="operators in the graph")


class Weights(File):
    """The network's weights as safetensors, for the torch backend."""


class Parity(_Part):
    """How far a backend's tiles are from the torch network's, over photographs and noise; values 0..1."""

    backend: Backend
    tile: int
    max_abs: float = Field(ge=0, description="largest absolute difference, where no near-tie decides")
    psnr_db: float = Field(description="PSNR of the backend against torch in float32, capped at 200 dB")
    undecided: float = Field(0.0, ge=0, le=1, description="share of values that near-ties of a selection decide")


class Seams(_Part):
    """How far tiled pictures are from untiled ones: the worst of several; 1 LSB is 1/255."""

    tile: int
    halo: int
    pictures: int = Field(gt=0)
    photographs: bool = Field(description="real photographs, not generated pictures")
    max_lsb: float = Field(ge=0, description="largest difference")
    p999_lsb: float = Field(ge=0, description="difference that 99.9 % of the values stay below")
    equal_8bit: float = Field(ge=0, le=1, description="share of values that round to the same 8 bits")
    psnr_db: float = Field(description="PSNR of the tiled picture against the untiled one, capped at 200 dB")
    jump: float = Field(ge=0, description="gradient across the cuts over the untiled picture's there; 1 is no trace")


class Speed(_Part):
    """What a backend took on the machine that exported."""

    backend: Backend
    tile: int
    threads: int
    ms_per_tile: float = Field(gt=0)


class Variant(_Part):
    """What one way to compute key-semantic attention took where the export chose among them."""

    attention: Attention
    backend: Backend
    tile: int
    ms_per_tile: float = Field(gt=0)


class Manifest(_Part):
    """One exported network.

    Attributes:
        version: of the model; new weights come under a new one.
        config: the network's full hyper-parameters; `config_name` where they are a published configuration's.
        value_range: of the pixels taken and given.
        lattice: tile origins are multiples of this many input pixels.
        halo: input pixels read around each tile's kept centre in bounded mode.
        padding: how a picture is continued to the lattice, once, on the right and at the bottom.
        format: 2; 1 had neither `probe` nor `built`.
        weights_sha256: of the safetensors file that was exported.
        staged: the description of the network's segments, `staged.json`.
        probe: what the network answers to a known picture, `probe.npz`; by it runtimes are checked where they serve.
        backends: every backend that was asked for, the default for its device first.
        built: those among them that were built and, for want of a GPU, compared with nothing.
        precision: of the graphs' products; pictures are float32 at either end.
        attention: how the graphs compute key-semantic attention, where the network has it; chosen among `variants`.
        pattern: of the mosaic, row by row, where the network takes one.
        default: whether this network answers for its task when none is named.
        sha256: of everything above, written by `sealed`.
    """

    format: Literal[1, 2] = FORMAT
    name: Name
    version: int = Field(ge=1)
    task: str
    network: str
    config_name: str | None = None
    config: dict[str, JsonValue] = Field(default_factory=dict)
    scale: int = Field(ge=1)
    in_channels: int = Field(ge=1)
    out_channels: int = Field(ge=1)
    value_range: tuple[float, float] = (0.0, 1.0)
    lattice: int = Field(ge=1)
    halo: int = Field(ge=0)
    padding: Literal["reflect"] = "reflect"
    precision: Precision = "fp32"
    weights_sha256: Sha256
    graphs: tuple[Graph, ...] = Field(min_length=1)
    weights: Weights | None = None
    staged: File | None = None
    probe: File | None = None
    backends: tuple[Backend, ...] = Field(min_length=1)
    built: tuple[Backend, ...] = ()
    parity: tuple[Parity, ...] = ()
    seams: tuple[Seams, ...] = ()
    speed: tuple[Speed, ...] = ()
    attention: Attention | None = None
    variants: tuple[Variant, ...] = ()
    pattern: str | None = None
    licence: str = ""
    default: bool = False
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _tiles_fit(self) -> Self:
        tiles = self.tiles
        if tiles != tuple(sorted(set(tiles))):
            raise ValueError(f"the tile ladder has to rise, got {tiles}")
        for tile in tiles:
            if tile % self.lattice:
                raise ValueError(f"tile {tile} is no multiple of the lattice {self.lattice}")
        if tiles[-1] <= 2 * self.halo:
            raise ValueError(f"the largest tile {tiles[-1]} has no centre left inside a halo of {self.halo}")
        return self

    @property
    def label(self) -> str:
        """The network in a line, for X-Model: name, version and what its weights hash to."""
        return f"{self.name}; version={self.version}; sha256={self.weights_sha256}"

    @property
    def tiles(self) -> tuple[int, ...]:
        """The tile ladder, rising."""
        return tuple(graph.tile for graph in self.graphs)

    @property
    def files(self) -> tuple[File, ...]:
        """Every file of the artifact but the manifest itself."""
        return (*self.graphs, *(part for part in (self.weights, self.staged, self.probe) if part))

    def graph(self, tile: int) -> Graph:
        """The graph for tiles of this side. Raises ManifestError if there is none."""
        for graph in self.graphs:
            if graph.tile == tile:
                return graph
        raise ManifestError(f"{self.name} has no graph for tiles of {tile}; it has {', '.join(map(str, self.tiles))}")

    def digest(self) -> str:
        """The sha256 of the content: JSON with sorted keys and no spaces, `sha256` itself left out."""
        return _digest(self.model_dump(mode="json"))

    def sealed(self) -> Manifest:
        """This manifest carrying the digest of its content."""
        return self.model_copy(update={"sha256": self.digest()})


def save(manifest: Manifest, folder: Path) -> None:
    """Seal the manifest and write it as `manifest.json` in the folder."""
    (folder / FILE_NAME).write_text(manifest.sealed().model_dump_json(indent=2) + "\n")


def load(path: Path) -> Manifest:
    """Read a manifest (its folder, or the file) and check it and every file it names.

    Raises ManifestError if it is absent, malformed, of a newer format, or if anything was altered since the export.
    """
    path = path / FILE_NAME if path.is_dir() else path
    content = _parse(path)
    manifest = _validated(path, content)
    if manifest.sha256 != _digest(content):  # as it stands there: an older format has fewer fields
        raise ManifestError(
            f"{path} was altered after the export (its sha256 does not match its content): export again"
        )
    for part in manifest.files:
        check_file(path.parent / part.file, part.sha256)
    return manifest


def file_sha256(path: Path) -> str:
    """The sha256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, sha256: str) -> None:
    """Raise ManifestError if a file is not there, or is not what it was at the export."""
    if not path.is_file():
        raise ManifestError(f"{path} is missing: export again")
    if file_sha256(path) != sha256:
        raise ManifestError(f"{path} was altered after the export (its sha256 differs): export again")


def check_format(path: Path, content: Any, newest: int) -> None:
    """Raise ManifestError if what was read from a file is of a newer format than this version reads."""
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > newest:
        raise ManifestError(
            f"{path} has format {found}, and this version reads up to format {newest}: update unseam or export again"
        )


def _digest(content: dict[str, Any]) -> str:
    told = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _parse(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise ManifestError(f"no manifest can be read at {path}: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"{path} is no JSON: {error}") from error


def _validated(path: Path, content: Any) -> Manifest:
    check_format(path, content, FORMAT)
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "manifest"
        raise ManifestError(f"{path} is no valid manifest: {where}: {first['msg']}") from error

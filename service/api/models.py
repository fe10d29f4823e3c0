"""What this server can do: tasks and the networks that answer for them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from export.manifest import Manifest, Parity, Seams, Speed
from imaging.mosaic import PATTERNS
from service.api.dependencies import Parts

router = APIRouter(tags=["models"])


class TaskView(BaseModel):
    """A task, and which networks do it."""

    task: str = Field(examples=["derain"])
    default: str = Field(description="the network that answers when none is named", examples=["ipt-v2-tiny-derain"])
    models: list[str] = Field(examples=[["ipt-v2-tiny-derain"]])
    scales: list[int] = Field(description="output side over input side", examples=[[1]])
    patterns: list[str] = Field(description="for demosaic: the mosaics that are understood", examples=[list(PATTERNS)])


class ModelView(BaseModel):
    """A network as it was exported, with what was measured then."""

    name: str = Field(examples=["ipt-v2-tiny-derain"])
    version: int = Field(examples=[1])
    task: str = Field(examples=["derain"])
    network: str = Field(examples=["ipt_v2"])
    default: bool = Field(description="whether it answers for its task when none is named")
    scale: int = Field(description="output side over input side")
    in_channels: int = Field(description="1 is grey or a mosaic, 3 is RGB")
    out_channels: int = Field(description="likewise, of the result")
    pattern: str | None = Field(description="of the mosaic that it was trained on; it takes the others as well")
    precision: str = Field(examples=["fp32"])
    tiles: list[int] = Field(description="sides of the tiles it was exported for, pixels")
    lattice: int = Field(description="tiles begin at multiples of it, pixels")
    halo: int = Field(description="pixels read around each tile's core")
    backends: list[str] = Field(examples=[["onnx"]])
    weights_sha256: str = Field(description="of the trained weights, as in the header X-Model")
    licence: str = Field(description="on which terms the weights are given")
    parity: list[Parity] = Field(description="exported graph against the trained network")
    seams: list[Seams] = Field(description="tiled against untiled pictures")
    speed: list[Speed] = Field(description="milliseconds per tile, measured when it was exported")

    @classmethod
    def of(cls, manifest: Manifest) -> ModelView:
        """The view of a manifest."""
        return cls.model_validate({name: getattr(manifest, name) for name in cls.model_fields})


@router.get("/tasks", summary="What this server can do")
def tasks(parts: Parts) -> list[TaskView]:
    """The tasks that POST /restore takes."""
    return [_task_view(parts, task) for task in parts.catalogue.tasks]


@router.get("/models", summary="The networks of this server")
def models(parts: Parts) -> list[ModelView]:
    """Every network, each task's default before its others."""
    return [ModelView.of(artifact.manifest) for artifact in parts.catalogue.artifacts]


def _task_view(parts: Parts, task: str) -> TaskView:
    manifests = [artifact.manifest for artifact in parts.catalogue.for_task(task)]
    return TaskView(
        task=task,
        default=manifests[0].name,
        models=[manifest.name for manifest in manifests],
        scales=sorted({manifest.scale for manifest in manifests}),
        patterns=list(PATTERNS) if any(manifest.pattern for manifest in manifests) else [],
    )

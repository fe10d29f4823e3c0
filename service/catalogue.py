"""Which networks this service has, by task. Reads manifests only: no runtime is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from export import manifest as manifests
from export import staged as segments
from export.manifest import Manifest, ManifestError
from export.staged import Staged
from imaging.mosaic import PATTERNS
from service.errors import InvalidParameter


@dataclass(frozen=True)
class Artifact:
    """An exported network: its manifest, its segments, if any, and the folder that holds the files they name."""

    folder: Path
    manifest: Manifest
    staged: Staged | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and check a folder. Raises ManifestError."""
        manifest = manifests.load(folder)
        return cls(folder, manifest, segments.load(folder) if manifest.staged else None)


class Catalogue:
    """The exported networks of one folder or several: the shipped ones in one, say, and one's own in another.

    Where several answer for a task, the default is the one whose manifest says so, then the smallest scale, then the
    first by name.
    """

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        ordered = sorted(artifacts, key=lambda a: (not a.manifest.default, a.manifest.scale, a.manifest.name))
        self._by_name = {artifact.manifest.name: artifact for artifact in ordered}

    @classmethod
    def read(cls, *roots: Path, one_pass: bool = False) -> Self:
        """Read and check every `root/*/manifest.json` and all files named there; with `one_pass`, leave segments aside.

        Raises ManifestError if one was altered or is incomplete, or if two have the same name.
        """
        found: dict[str, Artifact] = {}
        for folder in (path.parent for root in roots for path in sorted(root.glob(f"[!.]*/{manifests.FILE_NAME}"))):
            artifact = Artifact.read(folder)
            other = found.setdefault(artifact.manifest.name, artifact)
            if other is not artifact:
                raise ManifestError(f"{other.folder} and {folder} are both named {artifact.manifest.name}: remove one")
        return cls(replace(artifact, staged=None) if one_pass else artifact for artifact in found.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All of them, a task's default before its others."""
        return tuple(self._by_name.values())

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are served, in alphabetical order."""
        return tuple(sorted({artifact.manifest.task for artifact in self.artifacts}))

    def for_task(self, task: str) -> tuple[Artifact, ...]:
        """The networks for a task, its default first. Raises InvalidParameter if there are none."""
        found = tuple(artifact for artifact in self.artifacts if artifact.manifest.task == task)
        if not found:
            raise _unknown("task", task, self.tasks)
        return found

    def find(
        self, task: str, *, model: str | None = None, scale: int | None = None, pattern: str | None = None
    ) -> Artifact:
        """The network for a request. Raises InvalidParameter naming what there is instead."""
        candidates = self.for_task(task)
        if model is not None:
            names = [artifact.manifest.name for artifact in candidates]
            if model not in names:
                raise _unknown("model", model, names, f" for {task}")
            candidates = (self._by_name[model],)
        where = f" for {model or task}"
        if scale is not None:
            scales = sorted({artifact.manifest.scale for artifact in candidates})
            candidates = tuple(artifact for artifact in candidates if artifact.manifest.scale == scale)
            if not candidates:
                raise _unknown("scale", scale, scales, where)
        if pattern is not None:
            candidates = tuple(artifact for artifact in candidates if artifact.manifest.pattern)
            if not candidates or pattern not in PATTERNS:
                raise _unknown("pattern", pattern, PATTERNS if candidates else (), where)
        return candidates[0]


def _unknown(option: str, given: object, offered: Sequence[object], where: str = "") -> InvalidParameter:
    names = [str(name) for name in offered]
    there_are = f"there {'are' if len(names) > 1 else 'is'} {', '.join(names) or 'none'}"
    close = get_close_matches(str(given), names, n=1)
    hint = f"; did you mean {close[0]}?" if close and len(names) > 1 else "."
    return InvalidParameter(
        f"No {option} {given!r} is served{where}; {there_are}{hint}", parameter=option, given=given, allowed=names
    )

"""What is exported: a network with its weights, and all that its manifest says about it."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import tasks
from export.checkpoint import fill
from export.manifest import NAME, Seams, file_sha256
from models import build, registry
from models.network import RestorationNetwork
from models.registry import PATTERN, Card


class SubjectError(ValueError):
    """A checkpoint and what was said about it do not go together."""


@dataclass(frozen=True)
class Subject:
    """A trained network and its particulars; the fields are the manifest's.

    Attributes:
        model: the network itself, in evaluation mode.
        halo: as calibrated when the weights were shipped; None lets the export search.
        seams: the figures of that halo, where they were kept.
    """

    model: RestorationNetwork
    name: str
    version: int
    task: str
    network: str
    config_name: str | None
    weights_sha256: str
    licence: str
    default: bool
    halo: int | None = None
    seams: Seams | None = None
    pattern: str | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The network's hyper-parameters, as JSON has them."""
        return json.loads(json.dumps(dataclasses.asdict(self.model.config)))  # type: ignore[call-overload, no-any-return]


def from_card(card: Card) -> Subject:
    """A shipped network, its weights checked."""
    return Subject(
        model=build.load(card),
        name=card.name,
        version=card.version,
        task=card.task,
        network=card.network,
        config_name=card.config,
        weights_sha256=card.sha256,
        licence=card.license_note,
        default=card.default,
        halo=card.halo,
        seams=Seams(**card.seams) if card.seams else None,
        pattern=card.pattern,
    )


def from_checkpoint(checkpoint: Path, network: str, config: str, task: str, name: str | None = None) -> Subject:
    """A network of one's own.

    Args:
        checkpoint: its weights, see `export.checkpoint`.
        network: the architecture, a key of `models.build.NETWORKS`.
        config: a published configuration's name, or a TOML file with the fields of the architecture's `Config`.
        task: what it restores.
        name: of the artifact; by default the checkpoint's file name.

    Raises:
        SubjectError, BuildError, CheckpointError, TaskError: something is missing or does not fit; the message says
            what.
    """
    name = name or checkpoint.stem
    _check_names(name, task)
    named = config in build.configs(network)
    made = build.create(network, config) if named else _made(network, read_config(network, Path(config)))
    tasks.check(made, task)
    fill(made, network, checkpoint)
    return Subject(
        model=made.eval(),
        name=name,
        version=1,
        task=task,
        network=network,
        config_name=config if named else None,
        weights_sha256=file_sha256(checkpoint),
        licence="",
        default=False,
        pattern=PATTERN if task == "demosaic" else None,
    )


def _made(network: str, config: Any) -> RestorationNetwork:
    try:
        return build.create(network, config)
    except Exception as error:  # layers take wrong numbers amiss in every way there is
        raise _refused(network, error) from error


def _refused(network: str, error: Exception) -> SubjectError:
    return SubjectError(f"no {network} has these settings: {str(error).partition(chr(10))[0]:.200}")


def _check_names(name: str, task: str) -> None:
    if not re.fullmatch(NAME, name):
        raise SubjectError(f"{name!r} is no name for a network: letters, digits, '.', '_' and '-' are; choose a --name")
    if name in [card.name for card in registry.cards()]:
        raise SubjectError(f"{name} is the name of a shipped network; choose another with --name")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", task):
        raise SubjectError(f"{task!r} is no task: write it in small letters, such as denoise")


def read_config(network: str, path: Path) -> Any:
    """The architecture's `Config` from a TOML file of its fields; those left out keep their defaults."""
    if not path.is_file():
        published = ", ".join(build.configs(network))
        raise SubjectError(f"{path} is neither a file nor a configuration of {network}; those are {published}")
    try:
        return make_config(network, tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SubjectError(f"{path} is no TOML: {error}") from error


def make_config(network: str, fields: dict[str, Any]) -> Any:
    """The architecture's `Config` from plain values; lists become tuples. Raises SubjectError naming a wrong field."""
    kind = type(next(iter(build.configs(network).values())))
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := sorted(set(fields) - set(known)):
        raise SubjectError(f"{network} has no setting {', '.join(unknown)}; it has {', '.join(known)}")
    if negative := sorted(key for key, value in fields.items() if _least(value) < 0):
        raise SubjectError(f"no {network} has these settings: {', '.join(negative)} cannot be negative")
    try:
        return kind(**{key: _as_tuples(value) for key, value in fields.items()})
    except Exception as error:  # as in `_made`: a grid of 0 divides, a text compares with a number
        raise _refused(network, error) from error


def _least(value: Any) -> float:
    """The smallest number in a setting; 0 where there is none."""
    if isinstance(value, list):
        return min(map(_least, value), default=0)
    return value if isinstance(value, int | float) else 0


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value

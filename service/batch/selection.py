"""Which pictures are restored, and where each result goes: files, folders and patterns in, pairs of paths out."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imaging.codec import Format
from service.errors import ServiceError

FORMATS: Final = {suffix: format for format in Format for suffix in (format.suffix, f".{format}")}


class InvalidArgument(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """A file or option that cannot be used."""


@dataclass(frozen=True)
class Item:
    """One picture to restore.

    Attributes:
        source: the file.
        target: where the result goes; its suffix decides the kind of file.
    """

    source: Path
    target: Path

    @property
    def format(self) -> Format:
        """The kind of file that is written."""
        return FORMATS[self.target.suffix.lower()]


@dataclass(frozen=True)
class Selection:
    """The pictures of one run.

    Attributes:
        items: in the order they are restored.
        in_folder: whether the results go into a folder, rather than one to a file.
        ignored: files in the given folders that are no kind of picture that is taken, by name; and linked folders,
            which are not entered, for they may lead in a circle.
    """

    items: tuple[Item, ...]
    in_folder: bool
    ignored: int = 0


def select(inputs: Sequence[str], output: str, format: Format | None = None) -> Selection:
    """Pair pictures with results.

    A folder stands for every picture in it and below, a pattern (`*`, `?`, `[...]`, `**`) for what matches. Where there
    can be several, `output` is a folder, made when needed, in which the pictures keep their places.

    Args:
        inputs: files, folders or patterns.
        output: a file, for a single picture; or a folder.
        format: kind of file of the results; by default that of each name.

    Raises InvalidArgument: a path is not there, two results would be one file, a result would replace its picture.
    """
    target = Path(output)
    in_folder = (
        len(inputs) > 1 or output.endswith(("/", os.sep)) or target.is_dir() or any(map(_may_be_several, inputs))
    )
    if not in_folder:
        return Selection((_single(Path(inputs[0]), target, format),), in_folder=False)
    if target.suffix.lower() in FORMATS or target.is_file():
        raise InvalidArgument(f"several pictures go into a folder, and {output} is named like a picture")
    # A file that two inputs stand for is one picture.
    found = list(dict.fromkeys(pair for given in inputs for pair in _found(given, target)))
    taken = [(path, place) for path, place in found if path.suffix.lower() in FORMATS or str(path) in inputs]
    pictures = [(path, place) for path, place in taken if path.is_file()]
    items = tuple(_checked(Item(path, _result(target / place, format))) for path, place in pictures)
    _refuse_collisions(items)
    return Selection(items, in_folder=True, ignored=len(found) - len(pictures))


def _may_be_several(given: str) -> bool:
    return Path(given).is_dir() or (not Path(given).exists() and glob.has_magic(given))


def _found(given: str, output: Path) -> Iterator[tuple[Path, Path]]:
    """The files that an input stands for, each with its place among the results."""
    path = Path(given)
    if path.is_file():
        yield path, Path(path.name)
    elif path.is_dir():
        yield from _files(path, "**/*", output)
    elif glob.has_magic(given):
        base = _fixed_part(path)
        matches = list(_files(base, str(path.relative_to(base)), output))
        if not matches:
            raise InvalidArgument(f"nothing matches {given}")
        yield from matches
    else:
        raise InvalidArgument(f"{given} cannot be read: No such file or directory")


def _files(folder: Path, pattern: str, output: Path) -> Iterator[tuple[Path, Path]]:
    """Files and linked folders that match, hidden ones and results of an earlier run, in a folder below, left out."""
    results = output.resolve()
    below = folder.resolve() in results.parents
    for file in sorted(folder.glob(pattern)):
        place = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        result = below and results in file.resolve().parents
        if (file.is_file() or (file.is_symlink() and file.is_dir())) and not hidden and not result:
            yield file, place


def _fixed_part(pattern: Path) -> Path:
    """The folder above the first part that is a pattern."""
    parts = pattern.parts
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first])


def _single(source: Path, target: Path, format: Format | None) -> Item:
    if not target.parent.is_dir():
        raise InvalidArgument(f"there is no folder {target.parent}/ for the output")
    named = FORMATS.get(target.suffix.lower())
    if named is None:
        raise InvalidArgument(f"the output {target} has to end in one of {', '.join(FORMATS)}")
    if format not in (None, named):
        raise InvalidArgument(f"the output {target} is named as {named.label}, and --format says {format}")
    return _checked(Item(source, target))


def _result(place: Path, format: Format | None) -> Path:
    """The place with the suffix of the kind of file that is written."""
    suffix = place.suffix.lower()
    if format is None and suffix not in FORMATS:
        raise InvalidArgument(
            f"{place.name} does not say which kind of file its result shall be; --format takes {', '.join(Format)}"
        )
    return place if format is None or FORMATS.get(suffix) is format else place.with_suffix(format.suffix)


def _checked(item: Item) -> Item:
    if item.target.exists() and item.source.exists() and item.target.samefile(item.source):
        raise InvalidArgument(f"{item.source} would be replaced by its own result; give another -o")
    return item


def _refuse_collisions(items: Sequence[Item]) -> None:
    sources: dict[Path, Path] = {}
    pictures = {item.source.resolve(): item.source for item in items}
    for item in items:
        if replaced := pictures.get(item.target.resolve()):
            raise InvalidArgument(f"{replaced} would be replaced by the result of {item.source}; give another -o")
        other = sources.setdefault(item.target, item.source)
        if other != item.source:
            raise InvalidArgument(f"{other} and {item.source} would both be written to {item.target}")

"""The README's examples work as they stand."""

from __future__ import annotations

import argparse
import ast
import asyncio
import re
import shlex
from collections.abc import Coroutine
from pathlib import Path

import numpy as np
import pytest
from service_bench import Bench, encoded, inverted, picture, pixels

from service.commands import restore

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
RESTORE = re.findall(r"unseam restore (.* -o [^`\n]*)", README.read_text())
LOCAL = "http://localhost:8000"


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rainy.jpg", "b.jpg"):
        Path(name).write_bytes(encoded(picture(60, 40), "jpeg"))


def run(example: str, **names: object) -> dict[str, object]:
    code = compile(example, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, names)
    if isinstance(found, Coroutine):
        asyncio.run(found)
    return names


def test_a_picture_is_restored_in_four_lines(tmp_path: Path) -> None:
    example = EXAMPLES[0]
    assert len([line for line in example.splitlines() if line]) <= 4
    with Bench(tmp_path / "spool").client() as http:
        run(example.replace(LOCAL, str(http.base_url)))
    difference = pixels(Path("clean.jpg").read_bytes()).astype(int) - inverted(Path("rainy.jpg").read_bytes())
    assert abs(difference).mean() < 6


def test_many_pictures_are_restored_at_once(tmp_path: Path) -> None:
    with Bench(tmp_path / "spool").client() as http:
        example = "import asyncio, unseam\n" + EXAMPLES[1].replace(LOCAL, str(http.base_url))
        found = run(example, names=["rainy.jpg", "b.jpg"])
    restored = [pixels(each.content) for each in found["pictures"]]  # type: ignore[attr-defined]
    assert len(restored) == 2
    np.testing.assert_array_equal(restored[0], restored[1])


@pytest.mark.parametrize("words", RESTORE)
def test_the_command_line_is_taken(words: str) -> None:
    parser = argparse.ArgumentParser()
    restore.add_arguments(parser)
    parser.parse_args(shlex.split(words))

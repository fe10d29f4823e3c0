from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import by_model, cells, harmless
from benchmarks.baselines import stored
from benchmarks.readme import (
    ENGINE,
    README,
    TILING,
    TWO_CORES,
    borders,
    counts,
    filled,
    harm,
    quality,
    seams,
    speeds,
    together,
)
from models.count import count_all
from models.registry import cards


def test_the_readmes_quality_is_that_of_the_shipped_cards() -> None:
    text = README.read_text()
    assert filled(text, {"quality": lambda: quality(cards(), stored())}) == text


def test_quality_says_how_many_pictures_of_a_set_were_measured() -> None:
    derain = next(card for card in cards() if card.recipe == "ipt-v2-tiny-derain")
    one = {"pictures": 7, "psnr_y_db": 30.0, "ssim_y": 0.9}
    row = quality([replace(derain, figures={"Rain100L": {"restored": one}})], {}).splitlines()[-1]
    assert row == f"| derain | `{derain.name}` | Rain100L | 7 | Y |  |  | 30.00 / 0.9000 |"


@pytest.mark.parametrize(
    ("name", "make", "results"), [("harm", harm, harmless.RESULTS), ("cells", borders, cells.RESULTS)]
)
def test_the_readmes_figures_by_model_are_those_of_the_shipped_versions(
    name: str, make: Callable[..., str], results: Path
) -> None:
    text, measured = README.read_text(), by_model.stored(results)
    assert filled(text, {name: lambda: make(cards(), measured)}) == text
    older = {model: row | {"version": 0} for model, row in measured.items()}
    with pytest.raises(ValueError, match="version 0 was measured"):
        make(cards(), older)


def test_the_readmes_seams_are_those_that_were_measured() -> None:
    text = README.read_text()
    assert filled(text, {"seams": lambda: seams(json.loads(TILING.read_text()))}) == text


def test_the_readmes_speeds_are_those_that_were_measured() -> None:
    text = README.read_text()
    assert filled(text, {"speeds": lambda: speeds(json.loads(ENGINE.read_text()))}) == text


def test_speeds_are_told_of_the_smallest_tile_and_the_quickest_runtime() -> None:
    def row(tile: int, runtime: str, ms: float, precision: str = "fp32") -> dict[str, object]:
        return {
            "network": "net",
            "precision": precision,
            "times_written": 180 / ms,
            "tile": tile,
            "runtime": runtime,
            "cost": {"cpu_ms_per_tile": ms},
            "floor_ms": 10.0,
        }

    torch = [row(256, "torch as written", 180), row(256, "torch eager", 90)]
    rows = [*torch, row(256, "onnx", 40), row(256, "openvino", 45), row(512, "onnx", 1)]
    given_up, compiled = (speeds({"rows": [*rows, *more]}) for more in ([], [row(256, "torch.compile", 60)]))
    last = "| `net` | 256 | 180 ms | 90 ms |  | 40 ms (onnx) | 4.50 | 2.25 |  | 10 ms, 25 % |"
    assert given_up.splitlines()[-1] == f"{last}  |"
    assert "| 90 ms | 60 ms | 40 ms (onnx) | 4.50 | 2.25 | 1.50 |" in compiled
    halved = [row(256, "torch as written", 180, "bf16"), row(256, "openvino", 30, "bf16")]
    assert speeds({"rows": [*rows, *halved]}).splitlines()[-1] == f"{last} 30 ms, 6.00 |"


def test_the_readmes_speeds_on_two_cores_are_those_that_were_measured() -> None:
    text = README.read_text()
    assert filled(text, {"together": lambda: together(json.loads(TWO_CORES.read_text()))}) == text


def test_speeds_on_several_cores_are_by_the_clock() -> None:
    def row(tile: int, runtime: str, ms: float) -> dict[str, object]:
        cost = {"ms_per_tile": ms, "cpu_ms_per_tile": 999}
        return {"network": "net", "precision": "fp32", "tile": tile, "runtime": runtime, "cost": cost}

    torch = [row(192, "torch as written", 180), row(192, "torch eager", 90)]
    table = together({"rows": [*torch, row(192, "onnx", 45), row(192, "openvino", 40), row(384, "onnx", 1)]})
    assert table.splitlines()[-1] == "| `net` | 192 | 180 ms | 90 ms | 40 ms (openvino) | 4.50 | 2.25 |"


@pytest.mark.slow
def test_the_readmes_counts_are_what_is_counted() -> None:
    text = README.read_text()
    assert filled(text, {"counts": lambda: counts(count_all())}) == text


def test_a_table_is_written_between_its_marks() -> None:
    text = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"
    assert filled(text, {"a": lambda: "new\n"}) == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table 'a'"):
        filled("nothing", {"a": str})


def test_every_command_of_the_readme_exists() -> None:
    from service.cli import COMMANDS

    named = set(re.findall(r"`?unseam ([a-z]+)", README.read_text()))
    assert named <= set(COMMANDS) | {"is"}

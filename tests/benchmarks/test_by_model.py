from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import by_model
from models.registry import cards


def run(results: Path, data: Path, *arguments: str) -> None:
    (data / "val").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bench", "--data", str(data), *arguments])
        by_model.main("", results, cards()[:2], lambda card, folder: {"of": card.name, "with": str(folder)})


def test_a_named_model_is_measured_and_the_others_keep_their_figures(tmp_path: Path) -> None:
    first, second = (card.name for card in cards()[:2])
    results = tmp_path / "results.json"
    results.write_text(json.dumps({first: 1, "gone": 2}))
    run(results, tmp_path, second)
    assert by_model.stored(results) == {first: 1, "gone": 2, second: {"of": second, "with": str(tmp_path)}}
    run(results, tmp_path)
    assert by_model.stored(results)[first]["of"] == first


def test_a_model_that_is_not_asked_is_refused_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path / "results.json", tmp_path, "nobody")
    assert f"nobody: not one of {cards()[0].name}, {cards()[1].name}" in capsys.readouterr().err

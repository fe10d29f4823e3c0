from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from models import check, command, count
from models.registry import UnknownModelError, cards


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_check_prints_a_line_for_each_case_and_succeeds(
    goldens: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", str(goldens[0])) == 0
    cases = len(json.loads(goldens[0].read_text())["cases"])
    assert capsys.readouterr().out.count(" ok\n") == cases


def test_check_fails_and_says_so_in_json_where_an_output_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (1, 3, 8, 8)
    results = [check.Result("a", 0, shape, 1.0, 1e-4), check.Result("a", 1, shape, float("inf"), 1e-4)]
    monkeypatch.setattr(check, "check", lambda _: results)
    assert run("check", "a.json", "--json") == 1
    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert printed["passed"] is False
    assert [case["max_abs_error"] for case in printed["cases"]] == [1.0, None]


def test_count_prints_parameters_macs_and_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(count, "count_all", lambda: {"net/small": count.Count(1500, 2_000_000_000, (3, 64, 64))})
    assert run("count", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"net/small": {"params": 1500, "macs": 2_000_000_000, "input": [3, 64, 64]}}
    assert run("count") == 0
    assert "1,500" in capsys.readouterr().out


def test_list_and_show_print_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {card.name for card in cards()}
    for card in cards():
        assert run("show", card.name, "--json") == 0
        assert json.loads(capsys.readouterr().out)["sha256"] == card.sha256


def test_a_model_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="no model 'nothing'"):
        run("show", "nothing")

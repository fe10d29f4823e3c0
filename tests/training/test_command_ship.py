from __future__ import annotations

import argparse

import pytest

from training import command_ship
from training.recipe import RecipeError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command_ship.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("words", [("--default",), ("--license-note", "mine alone")])
def test_what_weights_that_are_measured_again_would_not_take_over_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match="for new weights"):
        command_ship.run(arguments("ipt-v2-tiny-derain", "--again", "--data", "DATA", *words))

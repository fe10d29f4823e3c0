from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from models import registry
from models.registry import UnknownModelError


def test_every_card_names_a_weight_of_that_sha256() -> None:
    for card in registry.cards():
        assert hashlib.sha256(card.path.read_bytes()).hexdigest() == card.sha256, card.name


def test_every_weight_has_a_card() -> None:
    shipped = {path.name for path in registry.WEIGHTS.glob("*.safetensors")}
    assert shipped == {card.weights for card in registry.cards()}


def test_a_task_has_one_default_per_scale() -> None:
    defaults = [(card.task, card.scale) for card in registry.cards() if card.default]
    assert sorted(defaults) == sorted({(card.task, card.scale) for card in registry.cards()})


def test_derain_is_served() -> None:
    assert registry.for_task("derain").network == "ipt_v2"


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownModelError, match="ipt-v2-tiny-derain"):
        registry.find("nothing")


def test_an_unknown_task_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownModelError, match="derain"):
        registry.for_task("colourise")


def test_reading_the_registry_loads_no_torch() -> None:
    code = "import sys, models.registry as r; r.cards(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

from __future__ import annotations

import re
from pathlib import Path

from service.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"


def _example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    names = [name for name, _, _ in pairs]
    assert len(names) == len(set(names)), "a name is there twice"
    return {name: value for name, _, value in pairs}


def test_the_example_names_every_setting_and_no_other() -> None:
    named = {name.removeprefix(PREFIX).lower() for name in _example() if name.startswith(PREFIX)}
    assert named == set(Settings.model_fields)


def test_the_example_changes_nothing() -> None:
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in _example().items()
        if name.startswith(PREFIX) and value
    }
    defaults = Settings.model_construct()
    for name, value in Settings.model_validate(given):
        assert value == getattr(defaults, name), name


def test_every_variable_of_the_stack_that_is_no_image_is_in_the_example() -> None:
    stack = "".join(path.read_text() for path in DEPLOY.glob("*.yml"))
    used = set(re.findall(r"\$\{(\w+)", stack))
    assert {name for name in used if not name.endswith("_IMAGE")} <= set(_example())

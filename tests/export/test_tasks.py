from __future__ import annotations

import pytest

from export import tasks
from export.tasks import TaskError
from models import build
from models.network import RestorationNetwork


def network(architecture: str, config: str) -> RestorationNetwork:
    return build.create(architecture, build.configs(architecture)[config])


@pytest.mark.parametrize(
    ("architecture", "config", "task", "message"),
    [
        ("semanir", "tiny_denoise", "demosaic", "this network makes 3 of 3, at scale 1"),
        ("semanir", "tiny_demosaic", "denoise", "denoise keeps a picture's channels, and this network makes 3 of 1"),
        ("semanir", "tiny_demosaic", "my-task", "my-task keeps a picture's channels"),
        ("semanir", "tiny_denoise", "upscale", "upscale enlarges, and this network has scale 1"),
        ("grl", "tiny_laptop_x2", "denoise", "denoise keeps a picture's size, and this network has scale 2"),
    ],
)
def test_a_network_that_cannot_do_its_task_is_refused_with_what_the_task_wants(
    architecture: str, config: str, task: str, message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        tasks.check(network(architecture, config), task)


@pytest.mark.parametrize(
    ("architecture", "config", "task"),
    [
        ("semanir", "tiny_demosaic", "demosaic"),
        ("semanir", "tiny_denoise", "denoise"),
        ("grl", "tiny_laptop_x2", "upscale"),
        ("grl", "tiny_laptop_x2", "sharper-and-larger"),
    ],
)
def test_a_network_that_can_is_taken(architecture: str, config: str, task: str) -> None:
    tasks.check(network(architecture, config), task)


def test_the_known_tasks_are_those_of_the_shipped_networks() -> None:
    assert {"denoise", "demosaic", "upscale"} <= set(tasks.known())

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from service import cli
from training import device


def test_a_device_that_is_here_is_found() -> None:
    assert device.usable("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["foo", "cuda:99", "cuda:x", "meta", ""])
def test_a_device_that_is_not_here_is_refused_by_name(name: str) -> None:
    with pytest.raises(device.DeviceError, match=f"there is no device '{name}' here: .") as caught:
        device.usable(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "command", [["eval", "ipt-v2-tiny-derain"], ["train", "ipt-v2-tiny-derain"], ["ship", "ipt-v2-tiny-derain"]]
)
def test_commands_say_so_in_a_line(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command, "--data", str(tmp_path), "--device", "foo"]) == 2
    said = capsys.readouterr().err
    assert "there is no device 'foo' here" in said
    assert said.count("\n") == 1

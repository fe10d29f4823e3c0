from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from service import cli
from service.errors import InvalidParameter, ServiceError


def run(monkeypatch: pytest.MonkeyPatch, outcome: object) -> int:
    """`unseam restore` with a command that ends in this outcome."""

    def command(args: argparse.Namespace) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    module = SimpleNamespace(add_arguments=lambda parser: None, run=command, __doc__="x")
    monkeypatch.setattr(cli, "import_module", lambda name: module)
    return cli.main(["restore"])


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (0, 0),
        (1, 1),
        (InvalidParameter("no task 'x'"), 2),
        (ServiceError("it failed"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: object, code: int
) -> None:
    assert run(monkeypatch, outcome) == code
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == (0 if isinstance(outcome, int) else 1)


def test_an_answer_that_nobody_reads_to_its_end_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    listing = subprocess.run(
        [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main(['models', 'list']))"],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(writing)
    assert (listing.returncode, listing.stderr) == (141, b"")


def test_what_nobody_meant_to_happen_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="a bug"):
        run(monkeypatch, ValueError("a bug"))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("obstore", "needs the package obstore, which is not installed: pip install 'unseam[s3]'"),
        ("onnxruntime.capi", "needs the package onnxruntime, which is not installed: pip install 'unseam[cpu]'"),
        ("nobodys", "needs the package nobodys, which is not installed"),
        ("training.train", "is not part of this installation"),
    ],
)
def test_a_package_that_a_command_misses_while_it_runs_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str, said: str
) -> None:
    assert run(monkeypatch, ModuleNotFoundError(f"No module named {missing!r}", name=missing)) == 2
    assert capsys.readouterr().err == f"unseam restore: restore {said}\n"


def test_training_without_its_extra_says_which_one_it_needs(tmp_path: Path) -> None:
    program = "import sys; sys.modules['matplotlib'] = None; from service.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "train", "ipt-v2-tiny-derain", "--data", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = "train needs the package matplotlib, which is not installed: pip install 'unseam[train]'"
    assert (ended.returncode, ended.stderr) == (2, f"unseam train: {said}\n")


@pytest.mark.parametrize("arguments", [["nonsense"], [], ["restore", "--nonsense"]])
def test_a_mistyped_command_line_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_lists_the_commands_and_imports_none_of_them() -> None:
    program = "import sys; from service.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules, sep='\\n')"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    lines = output.stdout.splitlines()
    assert all(any(line.split()[:1] == [name] for line in lines) for name in cli.COMMANDS)
    assert not {"torch", "fastapi", "numpy", "pydantic", "service.commands.serve"} & set(lines)


def test_the_server_loads_neither_torch_nor_the_exporters() -> None:
    program = "import sys, service.api.app, service.commands.restore; print(*sys.modules, sep='\\n')"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"torch", "triton", "safetensors", "onnx", "onnxruntime"} & set(output.stdout.split())

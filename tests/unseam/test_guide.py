"""The examples of docs/client.md work as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from service_bench import Bench, encoded, picture

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/client.md").read_text(), re.MULTILINE | re.DOTALL)
MADE = [["clean.jpg"], ["clean.png"], ["scans/0-clean.jpg", "scans/1-clean.jpg"], ["clean.jpg"], []]
SAID = ["", "", "succeeded", "succeeded", "unsupported-image 415"]


@pytest.mark.parametrize(("example", "made", "said"), list(zip(EXAMPLES, MADE, SAID, strict=True)))
def test_an_example_does_what_it_says(tmp_path: Path, example: str, made: list[str], said: str) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("rainy.jpg", "scans/0.jpg", "scans/1.jpg"):
        (tmp_path / name).write_bytes(encoded(picture(60, 40), "jpeg"))
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam")
    with Bench(tmp_path / "spool").client() as http:
        program = example.replace("http://localhost:8000", str(http.base_url))
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (run.returncode, run.stderr) == (0, "")
    assert said in run.stdout
    assert all((tmp_path / name).stat().st_size for name in made)

"""The history of a shipped weight, kept with the measurements: a row per validation of every run that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HISTORIES: Final = (
    Path(__file__).parents[1] / "benchmarks" / "results" / "training"
)  # NAME.json, drawn by `make figures`

History = Sequence[Mapping[str, Any]]

_COUNTS: Final = ("step", "elapsed_s", "pictures")  # of a run since its beginning
_DIGITS: Final = 5


def continued(kept: History, run: History) -> list[dict[str, Any]]:
    """The rows of a run after those kept before it, with steps, seconds and pictures counted on.

    Rows of the same run that are kept already (it was shipped before, and gone on with) are there once.
    """
    rows = [{key: _rounded(value) for key, value in row.items()} for row in run]
    if not rows:
        return [dict(row) for row in kept]
    same = (index for index, row in enumerate(kept) if _measured(row) == _measured(rows[0]))
    earlier = [dict(row) for row in kept[: next(same, len(kept))]]
    before = {key: earlier[-1][key] if earlier else 0 for key in _COUNTS}
    return earlier + [row | {key: _rounded(row[key] + before[key]) for key in _COUNTS} for row in rows]


def keep(run: Path, name: str, *, goes_on: bool, histories: Path = HISTORIES) -> None:
    """Write the history.json of the run in folder `run` as that of the shipped weight `name`.

    With `goes_on`, the run having begun with an earlier version of the weight, it comes after what is kept of that;
    else in its place. A run without a history changes nothing. The file is there whole or not at all.
    """
    if not (run / "history.json").is_file():
        return
    path = histories / f"{name}.json"
    kept = json.loads(path.read_text()) if goes_on and path.is_file() else []
    rows = continued(kept, json.loads((run / "history.json").read_text()))
    histories.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    partial.replace(path)


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value


def _measured(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row less what is counted: two validations never measure quite the same."""
    return {key: value for key, value in row.items() if key not in _COUNTS}

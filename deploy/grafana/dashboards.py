"""Makes the dashboards that Grafana provisions: `python deploy/grafana/dashboards.py` writes dashboards/*.json."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

HERE: Final = Path(__file__).parent
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
COLUMNS: Final = 24
HEIGHT: Final = 8


def build(path: Path) -> str:
    """The dashboard that a TOML file describes, as the JSON that Grafana provisions."""
    board = tomllib.loads(path.read_text())
    builder = (
        dashboard.Dashboard(board["title"])
        .uid(board["uid"])
        .description(board["description"])
        .tags(["unseam"])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )
    if board.get("by_task"):
        builder.with_variable(_task())
    for row in board["rows"]:
        builder.with_row(dashboard.Row(row["title"]))
        for index, panel in enumerate(row["panels"]):
            builder.with_panel(_lines(panel, _width(index, len(row["panels"]))))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _task() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("task")
        .label("Task")
        .datasource(SOURCE)
        .query('label_values(unseam_http_requests_total{task!="none"}, task)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
    )


def _width(index: int, count: int) -> int:
    """Four panels in a line, or three; the last line's share what there is."""
    full = 4 if count % 4 == 0 else 3
    in_line = full if index < count - count % full else count % full
    return COLUMNS // in_line


def _lines(panel: dict[str, Any], width: int) -> timeseries.Panel:
    """Lines over time."""
    stacked = panel.get("stacked", False)
    built = (
        timeseries.Panel()
        .title(panel["title"])
        .description(panel["description"])
        .datasource(SOURCE)
        .unit(panel["unit"])
        .min(0)
        .height(HEIGHT)
        .span(width)
        .line_width(2)
        .fill_opacity(25 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
    )
    if stacked:
        built.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if "maximum" in panel:
        built.max(panel["maximum"])
    for number, (legend, expression) in enumerate(panel["queries"].items()):
        query = prometheus.Dataquery().expr(expression.strip()).legend_format(legend).ref_id(chr(ord("A") + number))
        built.with_target(query.datasource(SOURCE))
    return built


if __name__ == "__main__":
    for source in HERE.glob("*.toml"):
        (HERE / "dashboards" / f"{source.stem}.json").write_text(build(source))

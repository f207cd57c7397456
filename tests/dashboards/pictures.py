"""Draws what the dashboards show of the scripted life: `python -m tests.dashboards.pictures` writes docs/pictures/.

It is a sketch of the panels, their places and their values, from the real answers of a real Prometheus; Grafana draws it finer.
"""

import socket
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.dashboards.life import living, play
from tests.dashboards.shown import FILES, IN_LEGEND, ROOT, filled, read
from tests.support.prometheus import Prometheus, running_prometheus

PICTURES: Final = ROOT / "docs/pictures"
SAMPLES: Final = ROOT / "config/prometheus"
MOST: Final = 8
"""So many lines are drawn, and so many rows of a table."""
UNITS: Final = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
COLORS: Final = {
    "text": "#dddddd",
    "blue": "#5794f2",
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "yellow": "#fade2a",
}
PAPER, INK, FAINT = "#181b1f", "#d8d9da", "#8e8e8e"


def main() -> None:
    """Play, ask and draw."""
    _resolve_localhost()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        life = stack.enter_context(living(folder))
        rules = [line for line in (SAMPLES / "alerts.yml").read_text().splitlines(keepends=True) if "  for: " not in line]
        (folder / "alerts.yml").write_text("".join(rules))
        sample = (SAMPLES / "prometheus.yml").read_text()
        (folder / "prometheus.yml").write_text(
            sample.replace("127.0.0.1:9464", life.address).replace("_interval: 30s", "_interval: 1s")
        )
        prometheus = stack.enter_context(running_prometheus(folder / "prometheus", folder / "prometheus.yml"))
        play(life)
        time.sleep(5)
        for file in FILES:
            draw(prometheus, file)


def draw(prometheus: Prometheus, file: Path) -> None:
    """Draw a dashboard."""
    dashboard = read(file)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = Figure(figsize=(14, rows * 0.36 + 0.4), facecolor="#111217")
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if panel["type"] == "row":
            figure.text(0.01, 1 - (place["y"] + 0.7) / rows, panel["title"], color=INK, size=10, weight="bold")
            continue
        corner = (place["x"] / 24 + 0.022, 1 - (place["y"] + place["h"] - 0.55) / rows)
        axes = figure.add_axes((*corner, place["w"] / 24 - 0.032, (place["h"] - 1.75) / rows), facecolor=PAPER)
        axes.set_title(panel["title"], color=INK, size=7.5, loc="left", pad=3)
        axes.tick_params(colors=FAINT, labelsize=5.5, length=2)
        for spine in axes.spines.values():
            spine.set_color("#2c3235")
        PAINTERS[panel["type"]](prometheus, axes, panel)
    figure.savefig(PICTURES / f"dashboard-{file.stem}.png", dpi=80)


def _values(panel: Mapping[str, Any], interval: str = "15s") -> dict[str, str]:
    chosen = {"vault": ".*", "issuer": ".*", "job": "certworker", "__rate_interval": interval}
    return {**chosen, "vault": "dev", "name": "shop"} if "$name" in str(panel["targets"]) else chosen


def _found(prometheus: Prometheus, panel: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Ask the panel's queries: what the legend says, and the value."""
    found = []
    for target in panel["targets"]:
        for series in prometheus.ask(filled(target["expr"], _values(panel, "5m"))):
            found.append((_legend(target, series.labels), series.value))  # noqa: PERF401  # two loops read better
    return found


def _legend(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    return IN_LEGEND.sub(lambda name: labels.get(name[1], ""), target.get("legendFormat", ""))


def _color(panel: Mapping[str, Any], value: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults["mappings"]:
        if (said := mapping["options"].get(f"{value:g}")) is not None:
            return COLORS[said["color"]]
    passed = [step["color"] for step in defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]]
    return COLORS[passed[-1]]


def _text(panel: Mapping[str, Any], value: float, unit: str | None = None) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    unit = unit or defaults["unit"]
    for mapping in defaults["mappings"]:
        if said := mapping["options"].get(f"{value:g}"):
            return str(said["text"])
    if unit == "s":
        size, word = next(((size, word) for size, word in UNITS if abs(value) >= size), (1, "s"))
        return f"{value / size:.1f} {word}"
    if unit.startswith("dateTime"):
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{value:.0%}" if unit == "percentunit" else f"{value:g}"


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def _name_inside(axes: Axes) -> None:
    axes.tick_params(axis="y", pad=-6, direction="in", labelcolor="white")
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")


def _number(prometheus: Prometheus, axes: Axes, panel: Mapping[str, Any]) -> None:
    _bare(axes)
    found, mode = _found(prometheus, panel), panel["options"]["textMode"]
    none = panel["fieldConfig"]["defaults"]["noValue"]
    shown = [(legend if mode == "name" else _text(panel, value), legend, _color(panel, value)) for legend, value in found]
    shown = shown or [(none, "", COLORS["green"])]
    paints = panel["options"]["colorMode"] == "background"
    if mode == "name" and len(shown) > 1:
        axes.text(0.5, 0.5, "\n".join(text for text, _, _ in shown), color=INK, size=8, ha="center", va="center")
        return
    for index, (text, legend, color) in enumerate(shown):
        middle = (index + 0.5) / len(shown)
        if paints:
            axes.axvspan(index / len(shown), (index + 1) / len(shown), color=color, alpha=0.75, lw=0)
        size = 11 if len(shown) < 4 and len(text) < 14 else 6.5
        axes.text(middle, 0.55, text, color="white" if paints else INK, size=size, ha="center", va="center")
        if mode != "name" and len(found) > 1:
            axes.text(middle, 0.12, legend, color=INK, size=5.5, ha="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _gauges(prometheus: Prometheus, axes: Axes, panel: Mapping[str, Any]) -> None:
    found = _found(prometheus, panel)[::-1]
    bars = axes.barh([legend for legend, _ in found], [value for _, value in found], 0.6)
    for bar, (_, value) in zip(bars, found, strict=True):
        bar.set_color(_color(panel, value))
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
        axes.text(0.99, bar.get_y() + 0.3, _text(panel, value), color=INK, size=6, **place)
    axes.set_xticks([])
    _name_inside(axes)
    axes.margins(x=0.15)


def _lines(prometheus: Prometheus, axes: Axes, panel: Mapping[str, Any]) -> None:
    colors = iter(colormaps["tab10"].colors * 9)  # type: ignore[attr-defined]  # of the lists of colours alone
    for target in panel["targets"]:
        for series in prometheus.ask_range(filled(target["expr"], _values(panel)), 100)[:MOST]:
            legend = _legend(target, series.labels)
            if panel["type"] == "timeseries":
                axes.plot(series.times, series.values, lw=1, color=next(colors), label=legend)
                continue
            for at, value in zip(series.times, series.values, strict=True):
                axes.barh(legend, 1.05, 0.7, left=at, color=_color(panel, value))
    if panel["type"] != "timeseries":
        _name_inside(axes)
    else:
        axes.margins(y=0.2)
        if axes.lines:
            axes.legend(loc="upper left", fontsize=5, ncols=3, frameon=False, labelcolor=INK, borderpad=0)
    axes.set_xticks([])


def _days(prometheus: Prometheus, axes: Axes, panel: Mapping[str, Any]) -> None:
    across = panel["options"]["xField"].split("\\")[1]
    (target,) = panel["targets"]
    found = prometheus.ask(filled(target["expr"], _values(panel)))
    bottoms = dict.fromkeys(sorted({series.labels["day"] for series in found}), 0.0)
    for group in sorted({series.labels[across] for series in found}):
        heights = dict.fromkeys(bottoms, 0.0) | {
            series.labels["day"]: series.value for series in found if series.labels[across] == group
        }
        axes.bar(list(bottoms), [heights[day] for day in bottoms], 0.8, bottom=list(bottoms.values()), label=group)
        bottoms = {day: bottoms[day] + heights[day] for day in bottoms}
    axes.set_xticks(list(bottoms)[::10])
    axes.margins(x=0.01, y=0.25)
    axes.legend(loc="upper left", fontsize=5.5, ncols=4, frameon=False, labelcolor=INK)


def _table(prometheus: Prometheus, axes: Axes, panel: Mapping[str, Any]) -> None:
    _bare(axes)
    organize = panel["transformations"][-1]["options"]
    labels = [name for name in organize["indexByName"] if not name.startswith("Value")]
    columns = [name for old, name in organize["renameByName"].items() if old.startswith("Value")]
    rows: dict[tuple[str, ...], dict[str, tuple[float, str]]] = {}
    for column, target in zip(columns, panel["targets"], strict=True):
        overrides = {found["matcher"]["options"]: found["properties"] for found in panel["fieldConfig"]["overrides"]}
        said = {found["id"]: found["value"] for found in overrides[column]}
        for series in prometheus.ask(filled(target["expr"], _values(panel))):
            key = tuple(series.labels.get(name, "") for name in labels if name != "reason")
            words: Mapping[str, Any] = next((mapping["options"] for mapping in said.get("mappings", ())), {})
            text = (
                words[f"{series.value:g}"]["text"] if f"{series.value:g}" in words else _text(panel, series.value, said["unit"])
            )
            rows.setdefault(key, {})[column] = (series.value, text)
            if "reason" in series.labels:
                rows[key]["reason"] = (0.0, series.labels["reason"])
    heads = [name for name in labels if name != "reason"] + (["reason"] if "reason" in labels else []) + columns
    sorts = [(item["displayName"], item["desc"]) for item in panel["options"]["sortBy"]]
    order = sorted(
        rows, key=lambda key: [rows[key].get(name, (9e18, ""))[0] * (-1 if down else 1) for name, down in sorts] + [0.0]
    )
    cells = [[*key, *(rows[key].get(head, (0.0, ""))[1] for head in heads[len(key) :])] for key in order[: MOST * 2]]
    if cells:
        table = axes.table(cells, colLabels=[organize["renameByName"].get(head, head) for head in heads], loc="upper center")
        table.auto_set_font_size(value=False)
        table.set_fontsize(6)
        for cell in table.get_celld().values():
            cell.set(facecolor=PAPER, edgecolor="#2c3235")
            cell.get_text().set_color(INK)


def _resolve_localhost() -> None:
    resolve = socket.getaddrinfo

    @wraps(resolve)
    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the library's
        is_local = isinstance(host, str) and host.endswith("localhost")
        return resolve("127.0.0.1" if is_local else host, *rest, **more)

    socket.getaddrinfo = getaddrinfo


PAINTERS: Final = {
    "stat": _number,
    "bargauge": _gauges,
    "timeseries": _lines,
    "state-timeline": _lines,
    "barchart": _days,
    "table": _table,
}

if __name__ == "__main__":
    main()

"""The kinds of panels: what a description in source/ becomes in Grafana's own words (schema 39, Grafana 10.4 and later)."""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase
from types import MappingProxyType
from typing import Any, Final

Json = dict[str, Any]
Source = Mapping[str, Any]
DATASOURCE: Final = MappingProxyType({"type": "prometheus", "uid": "${datasource}"})
CERTIFICATE: Final = (
    "/d/certworker-certificate?var-vault=${__data.fields.vault}&var-name=${__data.fields.name}&${datasource:queryparam}"
)

_LIST: Final = MappingProxyType({"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []})
_LAST: Final = MappingProxyType({"calcs": ["lastNotNull"], "fields": "", "values": False})


def panel(source: Source, queries: Sequence[Source]) -> Json:
    """Make a panel; `queries` are whole. Raises KeyError for a kind that there is none of."""
    return {
        "type": _TYPES[source["kind"]],
        "title": source["title"],
        "description": source["tells"],
        "datasource": dict(DATASOURCE),
        "targets": [_target(source, query, letter) for query, letter in zip(queries, ascii_uppercase, strict=False)],
        **_SHAPES[source["kind"]](source, queries),
    }


def _target(source: Source, query: Source, letter: str) -> Json:
    found = {"refId": letter, "datasource": dict(DATASOURCE), "editorMode": "code", "expr": query["expr"]}
    if source["kind"] in ("lines", "stack", "states"):
        return {**found, "range": True, "instant": False, "legendFormat": query.get("legend", "__auto")}
    as_table = {"format": "table"} if source["kind"] in ("table", "days") else {"legendFormat": query.get("legend", "__auto")}
    return {**found, "range": False, "instant": True, **as_table}


def _field(source: Source, custom: Json | None = None, color: str = "thresholds") -> Json:
    field: Json = {
        "unit": source.get("unit", "short"),
        "noValue": source.get("otherwise", "none"),
        "color": {"mode": color},
        "thresholds": {"mode": "absolute", "steps": _steps(source.get("steps", ("green",)))},
        "mappings": _mappings(source.get("words", {})),
        "custom": custom or {},
    }
    return {**field, **{name: source[name] for name in ("decimals", "min", "max") if name in source}}


def _steps(steps: Sequence[str | float]) -> list[Json]:
    """Read colour, bound, colour, bound, colour ..."""
    bounds = (None, *steps[1::2])
    return [{"color": color, "value": bound} for color, bound in zip(steps[::2], bounds, strict=True)]


def _mappings(words: Mapping[str, Sequence[str]]) -> list[Json]:
    if not words:
        return []
    options = {
        value: {"text": text, "color": color, "index": index} for index, (value, (text, color)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


def _number(source: Source, _queries: Sequence[Source]) -> Json:
    options = {
        "reduceOptions": dict(_LAST),
        "orientation": "auto",
        "justifyMode": "auto",
        "textMode": source.get("text", "auto"),
        "colorMode": source.get("paints", "background"),
        "graphMode": "none",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return {"fieldConfig": {"defaults": _field(source), "overrides": []}, "options": options}


def _gauges(source: Source, _queries: Sequence[Source]) -> Json:
    options = {
        "reduceOptions": dict(_LAST),
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "left",
        "showUnfilled": True,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "maxVizHeight": 40,
        "sizing": "auto",
        "legend": {**_LIST, "showLegend": False},
    }
    return {"fieldConfig": {"defaults": _field(source), "overrides": []}, "options": options}


def _lines(source: Source, _queries: Sequence[Source]) -> Json:
    stacked = source["kind"] == "stack"
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "lineInterpolation": "stepAfter" if stacked else "linear",
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "steps" in source else "off"},
        "axisSoftMin": 0,
    }
    options = {"legend": dict(_LIST), "tooltip": {"mode": "multi", "sort": "desc"}}
    return {"fieldConfig": {"defaults": _field(source, custom, "palette-classic"), "overrides": []}, "options": options}


def _states(source: Source, _queries: Sequence[Source]) -> Json:
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.85,
        "legend": dict(_LIST),
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 75, "lineWidth": 0}
    return {"fieldConfig": {"defaults": _field(source, custom), "overrides": []}, "options": options}


def _days(source: Source, _queries: Sequence[Source]) -> Json:
    """Draw bars by the label `day`, one colour for each value of the label `across`."""
    across = source["across"]
    options = {
        "xField": f"day\\{across}",
        "orientation": "auto",
        "stacking": "normal",
        "showValue": "never",
        "barWidth": 0.9,
        "groupWidth": 0.7,
        "barRadius": 0,
        "fullHighlight": False,
        "xTickLabelRotation": 0,
        "xTickLabelSpacing": 100,
        "xTickLabelMaxLength": 12,
        "legend": dict(_LIST),
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    transformations = [
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "day"}]}},
        {
            "id": "groupingToMatrix",
            "options": {"rowField": "day", "columnField": across, "valueField": "Value", "emptyValue": "zero"},
        },
    ]
    custom = {"fillOpacity": 80, "lineWidth": 0}
    defaults = _field(source, custom, "palette-classic")
    return {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "transformations": transformations,
    }


def _table(source: Source, queries: Sequence[Source]) -> Json:
    """Put the values of several queries beside each other, in one line for what they are about."""
    letters = ascii_uppercase if len(queries) > 1 else ("",)
    values = {f"Value #{letter}".removesuffix(" #"): query for letter, query in zip(letters, queries, strict=False)}
    order = (*source["labels"], *values)
    organize = {
        "excludeByName": dict.fromkeys(("Time", "__name__", "instance", "job"), True),
        "indexByName": {name: index for index, name in enumerate(order)},
        "renameByName": {name: query["column"] for name, query in values.items()} | source.get("names", {}),
    }
    overrides = [_column(query) for query in queries]
    if "name" in source["labels"]:
        overrides.append(_linked("name", "Show this certificate", CERTIFICATE))
    options = {
        "frameIndex": 0,
        "cellHeight": "sm",
        "showHeader": True,
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": []},
        "sortBy": [{"displayName": name.removeprefix("-"), "desc": name.startswith("-")} for name in source.get("sorts", ())],
    }
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    defaults = _field(source, custom)
    return {
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": options,
        "transformations": transformations,
    }


def _column(query: Source) -> Json:
    properties = [{"id": "unit", "value": query.get("unit", "short")}, {"id": "noValue", "value": query.get("otherwise", "")}]
    if "decimals" in query:
        properties.append({"id": "decimals", "value": query["decimals"]})
    if "steps" in query:
        steps = {"mode": "absolute", "steps": _steps(query["steps"])}
        properties += [
            {"id": "thresholds", "value": steps},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    if "words" in query:
        properties += [
            {"id": "mappings", "value": _mappings(query["words"])},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    return {"matcher": {"id": "byName", "options": query["column"]}, "properties": properties}


def _linked(field: str, title: str, url: str) -> Json:
    link = {"title": title, "url": url, "targetBlank": False}
    return {"matcher": {"id": "byName", "options": field}, "properties": [{"id": "links", "value": [link]}]}


_TYPES: Final = MappingProxyType(
    {
        "number": "stat",
        "gauges": "bargauge",
        "lines": "timeseries",
        "stack": "timeseries",
        "states": "state-timeline",
        "days": "barchart",
        "table": "table",
    }
)
_SHAPES: Final[Mapping[str, Callable[[Source, Sequence[Source]], Json]]] = MappingProxyType(
    {
        "number": _number,
        "gauges": _gauges,
        "lines": _lines,
        "stack": _lines,
        "states": _states,
        "days": _days,
        "table": _table,
    }
)

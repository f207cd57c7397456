"""Writes the Grafana dashboards beside it from the short descriptions in source/: `make dashboards`.

A query in a description names a metric and the labels that it is about. What every query needs is put in here: the chosen
deployment, vault, issuer and certificate, where a metric has such a label; and `max without (instance)` around what is read
from the database, since each of several processes tells the same there. `@metric` is left for each process by itself.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from certworker.metrics.catalogue import catalogue
from certworker.metrics.metric import Kind, Metric, Origin
from dashboards.panels import DATASOURCE, panel

Json = dict[str, Any]
HERE: Final = Path(__file__).resolve().parent
SOURCES: Final = tuple(sorted((HERE / "source").glob("*.toml")))
RUNBOOKS: Final = "http://localhost:9090/user/runbooks.md"
"""What the variable `runbooks` begins as: Prometheus shows docs/ there when it is started as docs/monitoring.md says."""
WIDTH: Final = 24

_SELECTOR: Final = re.compile(
    r"(?P<each>@)?(?P<function>(?:rate|increase)\()?(?P<name>certworker_\w+)"
    r"(?:\{(?P<matchers>[^}]*)\})?(?P<range>\[[^\]]+\])?(?(function)\))"
)
_ALERTS: Final = 'ALERTS{alertstate="firing", alertname=~"Certworker.+"}'


def dashboards() -> Iterator[tuple[Path, str]]:
    """Make each dashboard: the file that it belongs into, and its text."""
    for source in SOURCES:
        made = dashboard(tomllib.loads(source.read_text()))
        yield HERE / f"{source.stem}.json", json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def dashboard(source: Mapping[str, Any]) -> Json:
    """Make one dashboard."""
    chosen: Sequence[str] = source.get("variables", ())
    only = bool(source.get("one_certificate"))
    return {
        "id": None,
        "uid": source["uid"],
        "title": source["title"],
        "description": source["tells"],
        "tags": ["certworker"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "30s",
        "time": {"from": f"now-{source['shows']}", "to": "now"},
        "templating": {"list": list(_variables(chosen, only=only))},
        "annotations": {"list": [_alerts()]},
        "links": [_others(), _runbooks()],
        "panels": list(_panels(source["row"], chosen, only=only)),
    }


def whole(expression: str, chosen: Sequence[str], *, only: bool) -> str:
    """Put in what every query needs. Raises ValueError for a metric that there is none of."""
    known = dict(_series())

    def put(found: re.Match[str]) -> str:
        metric = known.get(found["name"])
        if metric is None:
            raise ValueError(f"There is no metric {found['name']}; certworker/metrics/catalogue.py lists them.")
        named = found["matchers"] or ""
        own = set(re.findall(r"(\w+)\s*[=!]", named))
        matchers = ['job="$job"', *(_matcher(name, only=only) for name in chosen if name in metric.labels and name not in own)]
        matchers += [named] if named else []
        selector = f"{found['name']}{{{', '.join(matchers)}}}{found['range'] or ''}"
        inner = f"{found['function']}{selector})" if found["function"] else selector
        if found["each"] or metric.origin is Origin.PROCESSES:
            return inner
        return f"max without (instance) ({inner})"

    return _SELECTOR.sub(put, expression)


def _series() -> Iterator[tuple[str, Metric]]:
    for metric in catalogue():
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        yield from ((metric.series + suffix, metric) for suffix in suffixes)


def _matcher(label: str, *, only: bool) -> str:
    return f'{label}="${label}"' if only else f'{label}=~"${label}"'


def _panels(rows: Sequence[Mapping[str, Any]], chosen: Sequence[str], *, only: bool) -> Iterator[Json]:
    """Lay the panels out from left to right, row by row."""
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {"id": number, "type": "row", "title": row["title"], "collapsed": False, "panels": [], "gridPos": _place(0, top)}
        top, left, height = top + 1, 0, 0
        for source in row["panel"]:
            number += 1
            width, high = source["size"]
            if left + width > WIDTH:
                top, left, height = top + height, 0, 0
            queries = [{**query, "expr": whole(query["expr"], chosen, only=only)} for query in source["queries"]]
            links = [_section(source["runbook"])] if "runbook" in source else []
            place = {"x": left, "y": top, "w": width, "h": high}
            yield {"id": number, "gridPos": place, "links": links, **panel(source, queries)}
            left, height = left + width, max(height, high)
        top += height


def _place(left: int, top: int) -> Json:
    return {"x": left, "y": top, "w": WIDTH, "h": 1}


def _variables(chosen: Sequence[str], *, only: bool) -> Iterator[Json]:
    yield from (_datasource(), _deployment())
    yield from (_variable(name, only=only) for name in chosen)
    yield _constant("runbooks", RUNBOOKS)


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }


def _deployment() -> Json:
    return _query("job", "Deployment", "label_values(certworker_build_info, job)", several=False)


def _variable(name: str, *, only: bool) -> Json:
    if name == "name":
        query = 'label_values(certworker_certificate_ready{job="$job", vault="$vault"}, name)'
        return _query(name, "Certificate", query, several=False)
    metric = "certworker_certificate_ready" if only else "certworker_certificates"
    return _query(name, name.capitalize(), f'label_values({metric}{{job="$job"}}, {name})', several=not only)


def _query(name: str, label: str, query: str, *, several: bool) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": dict(DATASOURCE),
        "definition": query,
        "query": {"query": query, "refId": f"{name}-variable"},
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "regex": "",
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}} if several else {}),
    }


def _constant(name: str, value: str) -> Json:
    choice = {"selected": True, "text": value, "value": value}
    return {"name": name, "type": "constant", "query": value, "hide": 2, "current": choice, "options": [choice]}


def _alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": dict(DATASOURCE),
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": _ALERTS,
        "step": "60s",
        "titleFormat": "{{alertname}} {{severity}}",
        "textFormat": "{{vault}} {{name}} {{issuer}}",
        "tagKeys": "severity",
        "useValueForTime": False,
    }


def _others() -> Json:
    return {**_link("certworker", ""), "type": "dashboards", "tags": ["certworker"], "includeVars": True, "keepTime": True}


def _runbooks() -> Json:
    return _link("Runbooks", "${runbooks}")


def _section(anchor: str) -> Json:
    return _link("What to do", f"${{runbooks}}#{anchor}")


def _link(title: str, url: str) -> Json:
    return {
        "type": "link",
        "title": title,
        "url": url,
        "icon": "doc" if url else "dashboard",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": bool(url),
    }


if __name__ == "__main__":
    for path, text in dashboards():
        path.write_text(text)

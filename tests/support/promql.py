"""What an expression of Prometheus asks for: its metrics, their labels, and what of that the catalogue does not know.

It reads names and nothing else: whether an expression is sound, Prometheus itself says.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from certworker.metrics.metric import Kind, Metric

TOKEN: Final = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<variable>\$\{[^}]*\}|\$\w+)"""
    r"|(?P<number>\d[\w.]*)|(?P<word>[A-Za-z_:][\w:]*)|(?P<sign>=~|!~|!=|==|[^\s])|\s+"
)
OPERATORS: Final = frozenset({"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan"})
GROUPINGS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
SCRAPED: Final = frozenset({"job", "instance"})
"""The labels that Prometheus gives to all that it scrapes. A label of that name becomes `exported_...`."""
OF_PROMETHEUS: Final = frozenset({"up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds"})
"""The series that Prometheus makes itself; their labels are what they are about."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric that is asked for, and on what conditions."""

    series: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """All names in an expression: its selectors, the labels that it groups or matches by, and those that it makes."""

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]
    made: frozenset[str]


def read_names(expression: str) -> Names:
    """Read the names. Raises ValueError where braces or parentheses are not closed."""
    tokens = [(found.lastgroup or "", found[0]) for found in TOKEN.finditer(_without_comments(expression)) if found.lastgroup]
    selectors: list[Selector] = []
    grouped: set[str] = set()
    made: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind == "word" and text in GROUPINGS and following == "(":
            end = _end(tokens, at, ")")
            grouped |= {word for kind, word in tokens[at:end] if kind == "word"}
            at = end
        elif text in ("label_replace", "label_join") and following == "(":
            made.add(next(_unquoted(word) for kind, word in tokens[at:] if kind == "string" and not _inside(tokens, at, word)))
        elif text == "{" or (kind == "word" and _is_metric(text, following)):
            opened = at if following == "{" else at - 1
            has_conditions = "{" in (text, following)
            end = _end(tokens, opened, "}") if has_conditions else at
            conditions = tuple(_matchers(tokens[opened + 1 : end - 1])) if has_conditions else ()
            selectors.append(Selector("" if text == "{" else text, conditions))
            at = end
    return Names(tuple(selectors), frozenset(grouped), frozenset(made))


def problems(expression: str, catalogue: Iterable[Metric]) -> list[str]:
    """Tell what an expression names that there is not: metrics, labels, and values that a label never has."""
    metrics, names, found = _series(catalogue), read_names(expression), []
    known = SCRAPED | names.made
    for selector in names.selectors:
        labels = metrics.get(selector.series)
        if selector.series in OF_PROMETHEUS:
            known |= {matcher.label for matcher in selector.matchers} | {"alertname", "severity", "vault", "name", "issuer"}
        elif labels is None:
            found.append(f"there is no metric {selector.series or 'without a name'}")
        else:
            known |= labels.keys()
            found += _wrong_conditions(selector, labels)
    return found + [f"no metric here has a label {label}" for label in sorted(names.grouped - known)]


def _wrong_conditions(selector: Selector, labels: Mapping[str, str]) -> Iterator[str]:
    for matcher in selector.matchers:
        if matcher.label not in labels and matcher.label not in SCRAPED:
            yield f"{selector.series} has no label {matcher.label}"
        elif not _can_be(matcher, labels.get(matcher.label, "")):
            yield f"{selector.series}: {matcher.label} is never {matcher.value}"


def _can_be(matcher: Matcher, values: str) -> bool:
    """Whether a label can have a value: it is a word of what the catalogue says of it, as far as that says anything."""
    is_plain = matcher.operator in ("=", "!=") and matcher.value and "$" not in matcher.value
    return not (is_plain and values) or re.search(rf"(?<!\w){re.escape(matcher.value)}(?!\w)", values) is not None


def _is_metric(word: str, following: str) -> bool:
    """Whether a word is a metric's name: no function, no aggregation, no keyword."""
    return following != "(" and following not in GROUPINGS and word.lower() not in OPERATORS | GROUPINGS


def _series(catalogue: Iterable[Metric]) -> dict[str, Mapping[str, str]]:
    """List the series that a query can name, each with its labels, and what is said of their values."""
    found: dict[str, Mapping[str, str]] = {}
    for metric in catalogue:
        labels = {f"exported_{label}" if label in SCRAPED else label: metric.values.get(label, "") for label in metric.labels}
        if metric.kind is Kind.HISTOGRAM:
            found |= {f"{metric.name}_{part}": MappingProxyType(labels) for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = MappingProxyType(labels | {"le": ""})
        else:
            found[metric.series] = MappingProxyType(labels)
    return found


def _matchers(tokens: list[tuple[str, str]]) -> Iterator[Matcher]:
    for (kind, label), (_, operator), (_, value) in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if kind == "word" and operator in ("=", "!=", "=~", "!~"):
            yield Matcher(label, operator, _unquoted(value))


def _end(tokens: list[tuple[str, str]], begin: int, closing: str) -> int:
    """Find the place after the first `closing` from `begin` on."""
    for place in range(begin, len(tokens)):
        if tokens[place][1] == closing:
            return place + 1
    raise ValueError(f"a {closing} is missing")


def _inside(tokens: list[tuple[str, str]], begin: int, word: str) -> bool:
    """Whether a string, the first of its text from `begin` on, is a condition's value in braces."""
    depth = 0
    for _, text in tokens[begin:]:
        depth += {"{": 1, "}": -1}.get(text, 0)
        if text == word:
            return depth > 0
    return False


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in "\"'" else text


def _without_comments(expression: str) -> str:
    return "\n".join(line for line in expression.splitlines() if not line.lstrip().startswith("#"))

"""$filter, $search and $orderby of OData 4.01 (section 11.2.6), on objects as they are shown.

Texts are compared without regard to case, as Graph does. What is not understood is refused, never passed over.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from certworker.errors import BadParameter

Shown = dict[str, Any]
Test = Callable[[Mapping[str, Any]], bool]

_LONGEST, _DEEPEST = 4096, 20
_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<word>[A-Za-z_@][A-Za-z0-9_.@]*(?:/[A-Za-z_$][A-Za-z0-9_]*)*)
    | (?P<number>-?[0-9][0-9A-Za-z:.\-+]*)
    | (?P<sign>[(),:])
    )""",
    re.VERBOSE,
)
_CLAUSE: Final = re.compile(r'"(?P<name>\w+):(?P<text>[^"]*)"')
_VALUES: Final = {"true": True, "false": False, "null": None}
_RELATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "gt": lambda have, want: have is not None and want is not None and have > want,
    "ge": lambda have, want: have is not None and want is not None and have >= want,
    "lt": lambda have, want: have is not None and want is not None and have < want,
    "le": lambda have, want: have is not None and want is not None and have <= want,
}
_FUNCTIONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda have, want: want in have,
}


def matching(found: Iterable[Shown], text: str | None) -> list[Shown]:
    """Give those that a $filter lets through. Raises BadParameter where it cannot be read."""
    if text is None or not text.strip():
        return list(found)
    test = _Parser(text).parse()
    try:
        return [shown for shown in found if test(shown)]
    except TypeError:
        raise _invalid("what it compares is not of one type") from None


def searched(found: list[Shown], text: str | None) -> list[Shown]:
    """Give those that a $search finds: `"property:text"`, several joined by AND or OR. Raises BadParameter."""
    if text is None or not text.strip():
        return found
    clauses = list(_CLAUSE.finditer(text))
    words = set(_CLAUSE.sub("", text).upper().split())
    if not clauses or not words <= {"AND", "OR"} or len(words) > 1:
        raise BadParameter('$search is "property:text", several joined by AND or by OR.', "$search")
    together = any if words == {"OR"} else all
    return [one for one in found if together(_fold(c["text"]) in _fold(str(one.get(c["name"]) or "")) for c in clauses)]


def ordered(found: list[Shown], text: str | None) -> list[Shown]:
    """Order by the property that an $orderby names. Raises BadParameter."""
    if text is None or not text.strip():
        return found
    name, *way = text.split()
    if way not in ([], ["asc"], ["desc"]):
        raise BadParameter("$orderby is one property, with asc or desc.", "$orderby")
    return sorted(found, key=lambda shown: _fold(str(shown.get(name) or "")), reverse=way == ["desc"])


class _Parser:
    """Reads a filter from left to right; `or` binds less than `and`, which binds less than `not`."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise _invalid(f"it is longer than {_LONGEST} characters")
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Test:
        test = self._either()
        if self._at < len(self._tokens):
            raise _invalid(f"there is '{self._peek()[:40]}' too much")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take_word("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda shown: any(test(shown) for test in tests)

    def _both(self) -> Test:
        tests = [self._unary()]
        while self._take_word("and"):
            tests.append(self._unary())
        return tests[0] if len(tests) == 1 else lambda shown: all(test(shown) for test in tests)

    def _unary(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _invalid("it is nested too deeply")
        if self._take_word("not"):
            inner = self._unary()
            test: Test = lambda shown: not inner(shown)  # noqa: E731
        elif self._peek() == "(":
            self._at += 1
            test = self._either()
            self._expect(")")
        else:
            test = self._comparison()
        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        name = self._next()
        if self._peek() == "(":
            return self._call(name)
        read = _reader(name)
        relation = self._next().lower()
        if relation == "in":
            wanted = self._list()
            return lambda shown: read(shown) in wanted
        if relation not in _RELATIONS:
            raise _invalid(f"'{relation[:40]}' is no comparison; there are eq, ne, gt, ge, lt, le and in")
        holds, want = _RELATIONS[relation], self._literal()
        return lambda shown: holds(read(shown), want)

    def _call(self, name: str) -> Test:
        self._expect("(")
        if name.lower() in _FUNCTIONS:
            read, holds = _reader(self._next()), _FUNCTIONS[name.lower()]
            self._expect(",")
            want = str(self._literal())
            self._expect(")")
            return lambda shown: holds(str(read(shown) or ""), want)
        path, _, word = name.rpartition("/")
        if word.lower() != "any" or not path:
            raise _invalid(f"there is no function '{name[:40]}'")
        return self._any(path)

    def _any(self, path: str) -> Test:
        """Read `collection/any(x:x eq 'value')`, or of objects `any(x:x/name eq 'value')`."""
        variable = self._next()
        self._expect(":")
        inner = self._either()
        self._expect(")")
        parts = path.split("/")
        return lambda shown: any(inner({variable: item}) for item in _items(shown, parts))

    def _list(self) -> list[Any]:
        self._expect("(")
        found = [self._literal()]
        while self._peek() == ",":
            self._at += 1
            found.append(self._literal())
        self._expect(")")
        return found

    def _literal(self) -> Any:  # noqa: ANN401 - a text, a number, a truth or nothing
        token = self._next()
        if token.startswith("'"):
            return _fold(token[1:-1].replace("''", "'"))
        if token.lower() in _VALUES:
            return _VALUES[token.lower()]
        if token.lstrip("-").isdecimal():
            return int(token)
        if token[0].isdigit():
            return _fold(token)  # a time, compared as it is written; or a GUID
        raise _invalid(f"'{token[:40]}' is no value; a text stands between single quotes")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _invalid("it ends too early")
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        taken = self._peek().lower() == word
        self._at += taken
        return taken

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise _invalid(f"a '{sign}' is missing")


def _tokens(text: str) -> list[str]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid(f"'{text[at : at + 20]}' cannot be read")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def _reader(path: str) -> Callable[[Mapping[str, Any]], Any]:
    parts = path.split("/")
    return lambda shown: _folded(_at(shown, parts))


def _at(shown: Mapping[str, Any], parts: list[str]) -> Any:  # noqa: ANN401 - whatever is there
    found: Any = shown
    for part in parts:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _items(shown: Mapping[str, Any], parts: list[str]) -> list[Any]:
    found = _at(shown, parts)
    return found if isinstance(found, list) else []


def _folded(value: Any) -> Any:  # noqa: ANN401 - whatever is there
    return _fold(value) if isinstance(value, str) else value


def _fold(text: str) -> str:
    return text.casefold()


def _invalid(why: str) -> BadParameter:
    return BadParameter(f"Invalid filter clause: {why}.", "$filter")

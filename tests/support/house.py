"""The rules of the house, as pure functions: a source text in, what is wrong with it out.

Nothing here imports the product; everything is read from its text with `ast`, so imports inside functions and under
TYPE_CHECKING count like any other. `tests/test_house.py` feeds it the whole tree, and each rule a text that breaks it.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from tests.support.source import Finding, Source, imports, is_within, last_name

# Lower steps come first. A room imports from lower steps or from itself, never from its own step's other rooms.
STAIR: Final = (
    ("clock", "correlation", "errors", "measures", "settings"),
    ("crypto",),
    ("vault",),
    ("store", "audit", "hsm", "network", "seal", "metrics"),
    ("issuers",),
    ("bootstrap",),
    ("api", "worker", "agent"),
    ("simulate", "doctor"),
    ("cli",),
)
STEP: Final = MappingProxyType({room: number for number, step in enumerate(STAIR) for room in step})
BASICS: Final = 0  # the one step whose rooms may know each other, as long as they form no cycle

# The only places of certworker that may import a library (a room, or one file of it, and all below).
LIBRARIES: Final = MappingProxyType(
    {
        "sqlmodel": "certworker.store",
        "sqlalchemy": "certworker.store",
        "alembic": "certworker.store",
        "psycopg": "certworker.store",
        "psycopg_pool": "certworker.store",
        "sqlite3": "certworker.store",
        "cryptography": "certworker.crypto",
        "OpenSSL": "certworker.crypto",
        "jwt": "certworker.crypto",
        "pyshamir": "certworker.crypto",
        "pkcs11": "certworker.hsm",
        "PyKCS11": "certworker.hsm",
        "httpx": "certworker.network",
        "httpcore": "certworker.network",
        "smtplib": "certworker.network",
        "dns": "certworker.network",
        "aiohttp": "certworker.network",
        "http.client": "certworker.network",
        "urllib.request": "certworker.network",
        "starlette": "certworker.api",
        "uvicorn": "certworker.api",
        "uvloop": "certworker.api",
        "httptools": "certworker.api",
        "apscheduler": "certworker.worker.scheduler",
        "acme": "certworker.issuers.acme",
        "josepy": "certworker.issuers.acme",
        "requests": "certworker.issuers.acme",
        "urllib3": "certworker.issuers.acme",
        "prometheus_client": "certworker.metrics",
        "typer": "certworker.cli",
        "click": "certworker.cli",
        "rich": "certworker.cli",
        "ca_sim": "certworker.simulate",
    }
)

LAYOUT: Final = frozenset({"__init__.py", "py.typed"} | {f"{room}{end}" for room in STEP for end in ("", ".py")})
LONGEST_FILE: Final = 500
LONGEST_FUNCTION: Final = 60
VAGUE_NAMES: Final = frozenset({"util", "utils", "common", "helper", "helpers", "manager", "managers"})
MUTABLE_TYPES: Final = frozenset(
    {"dict", "list", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter", "ChainMap"}
    | {"WeakKeyDictionary", "WeakValueDictionary", "WeakSet"}
)
MUTATORS: Final = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"}
    | {"reverse", "setdefault", "sort", "update"}
)
MIGRATIONS: Final = "certworker.store.migrations"  # alembic reads module-level names there
BROAD: Final = frozenset({"Exception", "BaseException"})
# Written so that the pattern does not match itself.
UNFINISHED: Final = re.compile(r"\b(?:TO[D]O|FIX[M]E|X{3}|NotImplemented[E]rror)\b")


# --- a: the stair -----------------------------------------------------------------------------------------------------


def check_stair(source: Source) -> list[Finding]:
    """Arrows go down: a room of certworker imports only from lower steps or from itself."""
    if not is_within(source.module, "certworker"):
        return []
    here = _room(source.module)
    found = {}
    for item in imports(source):
        there = _room(item.full)
        if is_within(item.full, "certworker") and there and not _may_import(here, there):
            found[item.node, there] = source.finding(
                item.node, f"{here or 'certworker'} may not import {there}: arrows go down the stair ({_below(here)})"
            )
    return list(found.values())


def _room(module: str) -> str:
    """Name the room a dotted name is in; empty for the package itself and for what is in it but is no room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in STEP else ""


def _may_import(here: str, there: str) -> bool:
    if here == there:
        return True
    if here not in STEP:  # certworker/__init__.py lies below every step
        return False
    return STEP[there] < STEP[here] or STEP[there] == STEP[here] == BASICS


def _below(here: str) -> str:
    rooms = [room for room in STEP if room != here and _may_import(here, room)]
    return f"below it are: {', '.join(rooms)}" if rooms else "nothing is below it"


# --- b: no cycles -----------------------------------------------------------------------------------------------------


def find_cycles(sources: Sequence[Source]) -> list[Finding]:
    """No module imports itself by way of others; a cycle is told once, at the import that a reader meets first."""
    by_name = {source.module: source for source in sources}
    arrows = {name: _arrows(source, by_name) for name, source in by_name.items()}
    found: list[Finding] = []
    done: set[str] = set()
    for start in sorted(arrows):
        path = None if start in done else _way_back(start, arrows)
        if path:
            done.update(path)
            node = arrows[start][path[1]]
            way = " -> ".join(path)
            found.append(by_name[start].finding(node, f"import cycle {way}: move what both need to a lower module"))
    return found


def _arrows(source: Source, known: Mapping[str, Source]) -> dict[str, ast.AST]:
    arrows: dict[str, ast.AST] = {}
    for item in imports(source):
        target = item.full if item.full in known else item.module
        if target in known and target != source.module:
            arrows.setdefault(target, item.node)
    return arrows


def _way_back(start: str, arrows: Mapping[str, Mapping[str, ast.AST]]) -> list[str] | None:
    """Find the shortest way from a module back to itself, breadth first."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is read
        for target in sorted(arrows[way[-1]]):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None


# --- c: one library, one room -----------------------------------------------------------------------------------------


def check_libraries(source: Source) -> list[Finding]:
    """Each library is known to one room of certworker; ca_sim is a product of its own and knows nothing of certworker."""
    found: dict[tuple[ast.AST, str], Finding] = {}
    for item in imports(source):
        if is_within(source.module, "ca_sim") and is_within(item.full, "certworker"):
            found[item.node, ""] = source.finding(item.node, "ca_sim may not import certworker: it stands alone")
        if not is_within(source.module, "certworker"):
            continue
        for library, place in LIBRARIES.items():
            if is_within(item.full, library) and not is_within(source.module, place):
                found[item.node, library] = source.finding(
                    item.node, f"{library} may be imported only in {place}: ask that room for what is needed"
                )
    return list(found.values())


# --- d: no module-level state -----------------------------------------------------------------------------------------


def check_state(source: Source) -> list[Finding]:
    """No state outside objects.

    A dict, list, set or the like that is made at module level must be a constant: its name is in capitals (or is a
    dunder such as `__all__`), and nothing in the tree's text changes what bears a name in capitals. Wrapping it in
    MappingProxyType, frozenset or tuple is better still, and then any name will do. `global` is refused. Migrations
    are exempt: alembic wants module-level names of its own.
    """
    if is_within(source.module, MIGRATIONS):
        return []
    found = [
        source.finding(node, "no `global`: keep it in an object that bootstrap makes and hands on")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ]
    for node, name in _module_level_mutables(source.tree.body):
        if not _is_constant(name):
            found.append(
                source.finding(
                    node, f"module-level state `{name}`: NAME a constant in capitals and freeze it, or keep it in an object"
                )
            )
    found += [
        source.finding(node, f"`{name}` is a constant by its name, but it is changed here: keep state in an object")
        for node in ast.walk(source.tree)
        for name in _changed_constants(node)
    ]
    return found


def _module_level_mutables(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    for node in body:
        match node:
            case ast.Assign(targets=targets, value=value) if _is_mutable(value):
                yield from ((node, last_name(target)) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _is_mutable(value):
                yield node, name
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
                handlers = [child for h in getattr(node, "handlers", []) for child in h.body]
                yield from _module_level_mutables([*inner, *handlers])


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.Dict() | ast.List() | ast.Set() | ast.DictComp() | ast.ListComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return last_name(func) in MUTABLE_TYPES
        case ast.BinOp(left=left, right=right):
            return _is_mutable(left) or _is_mutable(right)
    return False


def _is_constant(name: str) -> bool:
    return name.isupper() or (name.startswith("__") and name.endswith("__"))


def _changed_constants(node: ast.AST) -> Iterator[str]:
    """Name the constants that a node changes: `NAME[x] = y`, `del NAME[x]`, `NAME += z`, `NAME.add(x)`."""
    match node:
        case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            name = last_name(value)
        case ast.AugAssign(target=ast.Name() | ast.Attribute() as target):
            name = last_name(target)
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in MUTATORS:
            name = last_name(value)
        case _:
            name = ""
    if name.isupper():
        yield name


# --- e, f, g: sizes and names -----------------------------------------------------------------------------------------


def check_size(source: Source) -> list[Finding]:
    """Nothing is too long: a file has at most 500 lines, a function 60 (its decorators not counted)."""
    found = []
    if (lines := len(source.text.splitlines())) > LONGEST_FILE:
        found.append(Finding(source.path, LONGEST_FILE + 1, f"{lines} lines: split the file by noun (at most 500)"))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                found.append(source.finding(node, f"`{node.name}` has {length} lines: name its steps (at most 60)"))
    return found


def check_layout(names: Sequence[str]) -> list[Finding]:
    """Nothing but the rooms of the stair stands on the top level of certworker/: adding a room is deliberate."""
    return [
        Finding(f"certworker/{name}", 1, "no room of that name: put it in a room, or add the room to STAIR on purpose")
        for name in names
        if name not in LAYOUT
    ]


def check_name(path: str) -> list[Finding]:
    """No folder or file is called utils, common, helpers or manager, alone or as its last word."""
    for part in PurePosixPath(path).with_suffix("").parts:
        word = part.rpartition("_")[2]
        if word in VAGUE_NAMES:
            return [Finding(path, 1, f"`{part}` says nothing: name the file after the noun it holds")]
    return []


# --- h, i, j: tests, exceptions and unfinished work -------------------------------------------------------------------


def check_docstrings(source: Source) -> list[Finding]:
    """Every test function says in one line what it shows."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            text = ast.get_docstring(node, clean=False)
            if not text or not text.strip() or "\n" in text:
                found.append(source.finding(node, f"`{node.name}` needs a docstring of one line that says what it shows"))
    return found


def check_exceptions(source: Source) -> list[Finding]:
    """No bare `except:`, and no broad exception that is passed over in silence."""
    found = []
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler(type=None):
                found.append(source.finding(node, "bare except: name the exceptions that are expected here"))
            case ast.ExceptHandler(type=ast.expr() as kind, body=body) if _is_broad(kind) and all(map(_is_idle, body)):
                found.append(source.finding(node, "a broad exception passed over in silence: name it, or log and tell"))
            case ast.Call(func=func, args=args) if last_name(func) == "suppress" and any(map(_is_broad, args)):
                found.append(source.finding(node, "suppress() of a broad exception: name what is expected here"))
    return found


def _is_broad(kind: ast.expr) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(last_name(one) in BROAD for one in kinds)


def _is_idle(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Continue) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def check_finished(path: str, text: str) -> list[Finding]:
    """No text holds a mark of unfinished work: finish it, or take it out and say so where readers look for it."""
    return [
        Finding(path, number, f"`{match.group()}` marks unfinished work: finish it or take it out")
        for number, line in enumerate(text.splitlines(), start=1)
        for match in UNFINISHED.finditer(line)
    ]

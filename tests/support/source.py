"""The source texts of the tree, and what they import, read with `ast` and never imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

BUILT: Final = frozenset({"__pycache__", "build", "dist", "node_modules"})
HIDDEN: Final = frozenset({".ci", ".github"})  # the hidden folders that are the project's own


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where it is, and what would be right."""

    path: str
    line: int
    advice: str

    def __str__(self) -> str:
        """Show it as an editor can jump to it."""
        return f"{self.path}:{self.line}: {self.advice}"


@dataclass(frozen=True)
class Source:
    """The text of one Python file and the name of the module it is."""

    module: str
    text: str
    path: str

    @classmethod
    def of(cls, module: str, text: str) -> "Source":
        """Make one from a text that is in no file; a module name that ends in `.__init__` is a package's."""
        return cls(module.removesuffix(".__init__"), text, module.replace(".", "/") + ".py")

    @classmethod
    def read(cls, root: Path, file: Path) -> "Source":
        """Read one from a file below `root`."""
        path = file.relative_to(root).as_posix()
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return cls(module, file.read_text(encoding="utf-8"), path)

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text, self.path)

    @property
    def package(self) -> str:
        """The package that a relative import with one dot means."""
        return self.module if self.path.endswith("__init__.py") else self.module.rpartition(".")[0]

    def finding(self, node: ast.AST, advice: str) -> Finding:
        """Tell what is wrong at a node."""
        return Finding(self.path, getattr(node, "lineno", 1), advice)


@dataclass(frozen=True)
class Import:
    """One imported name: `from certworker.vault import keys` is module `certworker.vault`, name `keys`."""

    module: str
    name: str
    node: ast.AST

    @property
    def full(self) -> str:
        """The dotted name, as if what is imported were a module itself."""
        return f"{self.module}.{self.name}" if self.name and self.name != "*" else self.module


def imports(source: Source) -> Iterator[Import]:
    """Every import of a source, wherever it stands, with relative ones resolved and `import_module("...")` as well."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, "", node) for alias in names)
            case ast.ImportFrom(names=names):
                base = _base_of(source, node)
                yield from (Import(base, alias.name, node) for alias in names)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if last_name(node.func) in {
                "import_module",
                "__import__",
            }:
                yield Import(name, "", node)


def _base_of(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def is_within(name: str, place: str) -> bool:
    """Tell whether a dotted name is a place or lies below it."""
    return name == place or name.startswith(place + ".")


def last_name(node: ast.AST) -> str:
    """Give the last word of `a.b.c` or of `a.b.c[d]`; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):  # dict[str, int]()
            return last_name(value)
    return ""


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Read every file of text below `root`, but for what was built and what other tools keep there: path and text."""
    for entry in sorted(root.iterdir()):
        if entry.is_dir():
            hidden = entry.name.startswith(".") and entry.name not in HIDDEN
            if not (hidden or entry.name in BUILT or entry.name.endswith(".egg-info")):
                yield from ((f"{entry.name}/{path}", text) for path, text in texts(entry))
        elif entry.is_file():
            try:
                yield entry.name, entry.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # not text


def python_files(root: Path, *folders: str) -> list[Source]:
    """Read the Python sources below some folders of `root`."""
    return [Source.read(root, file) for folder in folders for file in sorted((root / folder).rglob("*.py"))]

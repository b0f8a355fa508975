"""The project's own source files, parsed once."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/package.xml"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    found = {}
    for package in PACKAGES:
        top = SOURCE / package
        for path in sorted((top / package).rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imports(module: str, *, at_import_only: bool = False) -> set[str]:
    """The dotted names that a module imports, names from modules included where they are modules.

    `at_import_only` leaves out what functions import when they run, and what type checkers see.
    """
    found: set[str] = set()
    for node in _nodes(tree(modules()[module]), at_import_only):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            found.add(base)
            found.update(
                f"{base}.{alias.name}"
                for alias in node.names
                if f"{base}.{alias.name}" in modules()
            )
    return found


def imported_when_importing(module: str) -> dict[str, str]:
    """All that importing a module imports, also through our own modules: name to importer."""
    found: dict[str, str] = {}
    pending, seen = [module], set()
    while pending:
        current = pending.pop()
        if current in seen or current not in modules():
            continue
        seen.add(current)
        parents = [current.rsplit(".", i)[0] for i in range(1, current.count(".") + 1)]
        pending.extend(parents)
        for name in imports(current, at_import_only=True):
            found.setdefault(name, current)
            pending.append(name)
    return found


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = modules()[module].name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*base, node.module] if node.module else base)


def _nodes(top: ast.AST, at_import_only: bool) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(top):
        if at_import_only:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
        found.append(node)
        found.extend(_nodes(node, at_import_only))
    return found

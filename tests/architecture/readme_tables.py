"""The parameter tables of the documents: `python tests/architecture/readme_tables.py` updates them.

A table stands between `<!-- parameters: module:Class -->` and `<!-- end -->`.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from sinew_core.parameters import table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "algorithms.md")
_REGION = re.compile(
    r"(<!-- parameters: (?P<module>[\w.]+):(?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL
)


def class_names(text: str) -> list[str]:
    """The classes whose tables a text marks, as module:Class."""
    return [f"{match['module']}:{match['name']}" for match in _REGION.finditer(text)]


def updated(text: str) -> str:
    """The text with every marked table as its class has it now."""

    def generate(match: re.Match[str]) -> str:
        parameters = getattr(importlib.import_module(match["module"]), match["name"])
        return f"{match[1]}{table(parameters)}\n{match[4]}"

    return _REGION.sub(generate, text)


def main() -> int:
    """Update the documents; the exit status says whether they had not been up to date."""
    changed = 0
    for document in DOCUMENTS:
        before = document.read_text(encoding="utf-8")
        after = updated(before)
        document.write_text(after, encoding="utf-8")
        changed += after != before
    sys.stdout.write(f"{changed} of {len(DOCUMENTS)} documents changed\n")
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())

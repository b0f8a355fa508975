import ast
import re

from architecture.source_files import ROOT, tree

FILES = sorted(
    path
    for folder in ("src", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if not {"build", "install"} & set(path.relative_to(ROOT).parts)
)
TEXTS = sorted(
    path
    for pattern in (
        "*",
        *(f"{name}/**/*" for name in ("benchmarks", "config", "docker", "docs")),
        "launch/*",
        "requirements/*",
        "src/**/*",
        "tests/**/*",
        ".ci/*",
    )
    for path in ROOT.glob(pattern)
    if path.suffix in ("", ".md", ".py", ".toml", ".txt", ".urdf", ".xml", ".yaml", ".cfg")
    and path.is_file()
    and not any(
        (part.startswith(".") and part != ".ci") or part.endswith(".egg-info")
        for part in path.relative_to(ROOT).parts
    )
)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

# The names of one machine's folders and of registries, split so that this file does not match.
NOT_OURS = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", r"py" + r"pi\.org"]))


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_the_files_are_found():
    assert len(FILES) > 20
    assert len(TEXTS) > len(FILES)


def test_files_stay_short():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*FILES, ROOT / "sinew"]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    }
    assert not long


def test_functions_stay_short():
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": code_lines(node)
        for path in [*FILES, ROOT / "sinew"]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > MAX_FUNCTION_LINES
    }
    assert not long


def test_no_file_names_the_folders_of_one_machine():
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in TEXTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if NOT_OURS.search(line)
    ]
    assert not found

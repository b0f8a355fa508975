import fnmatch
import re

import gymnasium
import pytest

from architecture.source_files import ROOT

README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
REQUIREMENTS = sorted(
    {
        re.split(r"[\[;=<>]", line)[0].strip()
        for path in (ROOT / "requirements").glob("*.txt")
        if path.name != "pins.txt"
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
)


def anchors(text):
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_readme_gives_a_reason_for_every_requirement():
    section = README.read_text(encoding="utf-8").partition("## Dependencies\n")[2]
    shown = re.findall(r"`([^`]+)`", section.partition("\n## ")[0])
    assert "numpy" in REQUIREMENTS
    missing = [n for n in REQUIREMENTS if not any(fnmatch.fnmatch(n, each) for each in shown)]
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_environment_that_a_document_makes_is_there(path):
    # Those of other packages need them to be imported, which a reader sees.
    pattern = r'gymnasium\.make\("([^"/]+)"'
    for name in re.findall(pattern, path.read_text(encoding="utf-8")):
        gymnasium.spec(name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_the_documents_exists(path):
    usage = (ROOT / "sinew").read_text(encoding="utf-8").partition("COMMANDS = {")[2]
    commands = set(re.findall(r'^    "(\w+)": \(', usage.partition("\n}")[0], re.MULTILINE))
    used = re.findall(r"\./sinew ([a-z]\w*)", path.read_text(encoding="utf-8"))
    assert set(used) <= commands

import pytest

from architecture.node_parameters import NODES
from architecture.readme_tables import DOCUMENTS, class_names, updated


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_shows_the_parameters_as_they_are(document):
    text = document.read_text(encoding="utf-8")
    assert updated(text) == text, "run: .venv/bin/python tests/architecture/readme_tables.py"


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_class_has_its_table(node):
    shown = [name for d in DOCUMENTS for name in class_names(d.read_text(encoding="utf-8"))]
    wanted = {f"{kind.__module__}:{kind.__name__}" for kind in NODES[node].values()}
    assert wanted <= set(shown)


def test_a_marked_table_is_replaced_and_the_rest_is_left():
    mark = "<!-- parameters: sinew_core.rates:Rates -->\n"
    text = updated(f"before\n{mark}old\n<!-- end -->\nafter <!-- end -->")
    assert text.startswith(f"before\n{mark}| parameter |")
    assert "| `control_rate_hz` | `25` | Hz |" in text
    assert "old" not in text
    assert text.endswith("|\n<!-- end -->\nafter <!-- end -->")

"""No node hides what rclpy keeps in it: with a `_parameters` of ours its services would end it."""

import ast
from pathlib import Path

import rclpy.lifecycle.node
import rclpy.node

from architecture.source_files import modules, tree

BASES = {"Node", "LifecycleNodeMixin", "SinewNode", "ManagedNode"}


def assigned(node):
    """The attributes and methods that a class gives itself."""
    attributes = {
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.ctx, ast.Store)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    }
    return attributes | {n.name for n in node.body if isinstance(n, ast.FunctionDef)}


def classes(path, names):
    """The classes of a file that derive from one of these names, or have one."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            bases = {getattr(base, "id", "") for base in node.bases}
            if node.name in names or bases & names:
                yield node


def test_no_node_assigns_a_private_attribute_of_rclpys():
    kept = {
        name
        for module in (rclpy.node, rclpy.lifecycle.node)
        for node in classes(Path(module.__file__), {"Node", "LifecycleNodeMixin"})
        for name in assigned(node)
        if name.startswith("_") and not name.startswith("__")
    }
    assert "_parameters" in kept
    nodes = [(m, node) for m, path in modules().items() for node in classes(path, BASES)]
    assert {"PolicyNode", "SafetyFilter", "SimDriver"} <= {node.name for _, node in nodes}
    wrong = {f"{m}.{n.name}": hidden for m, n in nodes if (hidden := assigned(n) & kept)}
    assert not wrong

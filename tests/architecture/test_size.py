"""Files and functions stay short. A failure names what grew."""

import ast

LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 50


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def documentation(tree: ast.Module) -> int:
    """Lines of all docstrings, which may be as long as they need."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    return sum(node.end_lineno - node.lineno + 1 for node in nodes if isinstance(node.value.value, str))


def test_files_are_short(root, sources):
    """Find the seam where the file falls into two things, and name each for its one thing. Docstrings do not count."""
    counts = {
        path: len((root / path).read_text("utf-8").splitlines()) - documentation(tree) for path, tree in sources.items()
    }
    long = [f"{path}: {count} lines" for path, count in counts.items() if count > LINES_OF_A_FILE]
    assert not long, "\n".join(long)


def test_functions_are_short(sources):
    """Give each step of the function a name of its own."""
    long = [
        f"{path}:{node.lineno} {node.name}: {length(node)} lines"
        for path, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LINES_OF_A_FUNCTION
    ]
    assert not long, "\n".join(long)

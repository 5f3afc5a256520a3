"""The names that other people's scripts rest on."""

import ast
from pathlib import Path

import pytest

import nwb_neurid


@pytest.mark.parametrize("name", nwb_neurid.__all__)
def test_every_public_name_is_there(name):
    assert getattr(nwb_neurid, name) is not None
    assert name in dir(nwb_neurid)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(nwb_neurid.__file__).read_text("utf-8"))
    seen = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen - {None} == set(nwb_neurid.__all__) - {"__version__"}


def test_there_are_no_others():
    with pytest.raises(AttributeError, match="module 'nwb_neurid' has no attribute 'embed_everything'"):
        _ = nwb_neurid.embed_everything

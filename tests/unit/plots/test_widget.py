"""The widget hands back the units that were selected in it."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.plots import EmbeddingWidget
from nwb_neurid.results import Embeddings


@pytest.fixture(scope="module")
def population(make_population):
    return make_population(units=6, labels={"cell_type": np.array(["PV", "<b>", "", "PV", "=1", "PV"])})


@pytest.fixture(scope="module")
def embeddings(population):
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    silent = Embeddings.of(population, vectors, reasons=["", "silent", "", "", "", ""])
    return replace(silent, unit_ids=np.array([30, 7, 11, 90, 4, 2]))


@pytest.fixture
def widget(embeddings, population):
    pytest.importorskip("anywidget", reason="the widget needs jupyter-scatter")
    return EmbeddingWidget(
        embeddings, color_by="cell_type", population=population, points=np.arange(12.0).reshape(6, 2)
    )


def test_what_is_brushed_comes_back_by_unit_id(widget):
    assert widget.selected_unit_ids.tolist() == []
    widget._scatter.widget.selection = np.array([3, 0])  # as the browser sets it: the fifth unit and the first
    assert widget.selected_rows.tolist() == [0, 4]
    assert widget.selected_unit_ids.tolist() == [30, 4]
    assert repr(widget) == "EmbeddingWidget(5 units by cell_type, 2 selected)"


def test_units_are_selected_from_python(widget):
    widget.select([2, 5])
    assert widget.selected_unit_ids.tolist() == [11, 2]
    with pytest.raises(InvalidOption, match="Row 1 is not in the plot"):
        widget.select([1])


def test_a_notebook_shows_it(widget):
    shown = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in (shown[0] if isinstance(shown, tuple) else shown)


def test_numbers_colour_it_too(embeddings):
    pytest.importorskip("anywidget", reason="the widget needs jupyter-scatter")
    made = EmbeddingWidget(embeddings, color_by=np.arange(6.0), points=np.zeros((6, 2)))
    assert repr(made) == "EmbeddingWidget(5 units, 0 selected)"


def test_the_library_that_is_missing_is_named(embeddings, monkeypatch):
    monkeypatch.setitem(sys.modules, "jscatter", None)
    with pytest.raises(InvalidOption, match="Install it: pip install jupyter-scatter"):
        EmbeddingWidget(embeddings, points=np.zeros((6, 2)))

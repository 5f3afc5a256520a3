"""Pictures of vectors and predictions, in the ways of SpikeInterface."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, NoResults

pytest.importorskip("spikeinterface.widgets", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import plot_neurid_embeddings, plot_neurid_predictions
from nwb_neurid.analyzer.extension import read_population
from nwb_neurid.plots.figure import PALETTE

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

EMBEDDINGS, PREDICTIONS = "neurid_embeddings", "neurid_predictions"


@pytest.fixture(autouse=True)
def no_window():
    with mpl.rc_context():
        mpl.use("agg")
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def computed(make_analyzer_in_memory, predicting):
    analyzer = make_analyzer_in_memory()
    analyzer.compute(EMBEDDINGS, encoder="isi")
    analyzer.compute(PREDICTIONS, model=predicting)
    return analyzer


@pytest.fixture
def no_tsne(monkeypatch):
    """The first two dimensions of the vectors in the place of t-SNE, which takes a second."""
    monkeypatch.setattr(
        "nwb_neurid.analyzer.widgets.project_vectors", lambda vectors, **_: vectors[:, :2].astype(float)
    )


def points(axes):
    return np.concatenate([drawn.get_offsets() for drawn in axes.collections])


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_each_unit_with_a_vector_is_a_point(computed):
    widget = plot_neurid_embeddings(computed)
    assert points(widget.ax).shape == (5, 2)
    assert widget.ax.get_legend() is None
    again = plot_neurid_embeddings(computed, backend="matplotlib", figsize=(2, 2))
    np.testing.assert_array_equal(points(again.ax), points(widget.ax))


@pytest.mark.usefixtures("no_tsne")
def test_points_are_coloured_by_what_was_predicted(computed):
    axes = plot_neurid_embeddings(computed, color_by="cell_type").ax
    assert legend(axes) == ["FS (3)", "NA (1)", "None (1)"]
    assert [len(drawn.get_offsets()) for drawn in axes.collections] == [3, 1, 1]


@pytest.mark.usefixtures("no_tsne")
def test_or_by_a_property_or_values(computed):
    computed.set_sorting_property("depth", ["2", "4", "4", "5", "5", "5"])
    assert legend(plot_neurid_embeddings(computed, color_by="depth").ax) == ["2 (1)", "4 (2)", "5 (2)"]
    assert legend(plot_neurid_embeddings(computed, color_by=list("aabbbb")).ax) == ["a (2)", "b (3)"]
    depth = np.array([1.0, 2, 3, 4, 5, 6])
    (drawn,) = plot_neurid_embeddings(computed, color_by=depth).ax.collections
    np.testing.assert_array_equal(drawn.get_array(), [1, 2, 3, 5, 6])


@pytest.mark.usefixtures("no_tsne")
def test_chosen_units_stand_out(computed):
    (drawn,) = plot_neurid_embeddings(computed, unit_ids=["1", "4"]).ax.collections
    assert [alpha > 0.5 for alpha in drawn.get_alpha()] == [False, True, False, False, True]


@pytest.mark.usefixtures("no_tsne")
def test_it_draws_where_it_is_told(computed):
    _, axes = plt.subplots()
    assert plot_neurid_embeddings(computed, ax=axes).ax is axes
    assert plot_neurid_predictions(computed, label="cell_type", ax=axes).ax is axes


def test_probabilities_of_classes_are_shown(computed):
    axes = plot_neurid_predictions(computed, label="cell_type", unit_ids=["9", "0", "3"]).ax
    found = computed.get_extension(PREDICTIONS).predictions("cell_type")
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), found.class_probabilities[[4, 3, 0]])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["FS", "NA", "None"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["9", "0", "3"]
    assert points(axes).tolist() == [[0, 0], [1, 2]]  # the silent unit has no dot


def test_a_unit_that_is_declined_has_a_ring(scant, predicting):
    scant.compute(PREDICTIONS, model=predicting)
    drawn = plot_neurid_predictions(scant, label="cell_type").ax.collections
    assert [(len(dots.get_offsets()), len(dots.get_facecolor())) for dots in drawn] == [(4, 4), (1, 0)]


def test_colours_are_those_of_the_chart(computed):
    drawn = plot_neurid_predictions(computed, label="cell_type", unit_ids=["9"]).ax.collections
    assert mpl.colors.to_hex(drawn[0].get_facecolor()[0]).upper() == PALETTE[0]


@pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")  # of ipympl
@pytest.mark.usefixtures("no_tsne")
def test_units_are_chosen_in_a_notebook(computed):
    widgets = pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    pytest.importorskip("ipympl", reason="ipympl is not installed")
    mpl.use("module://ipympl.backend_nbagg")
    widget = plot_neurid_embeddings(computed, color_by="cell_type", backend="ipywidgets", display=False)
    assert isinstance(widget.widget, widgets.AppLayout)
    widget.unit_selector.value = ["3"]
    assert sorted(alpha for drawn in widget.ax.collections for alpha in drawn.get_alpha()) == [0.15] * 4 + [0.9]
    names = plot_neurid_predictions(computed, label="cell_type", backend="ipywidgets", display=False)
    names.unit_selector.value = ["3", "1"]
    assert [text.get_text() for text in names.ax.get_yticklabels()] == ["3", "1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"color_by": "layer"},
            "There is no prediction and no property 'layer' to colour by. Choose one of: cell_type, ",
        ),
        ({"color_by": [1, 2]}, "color_by must have one value for each of 6 units, got shape (2,)."),
        ({"unit_ids": ["7"]}, "The analyzer has no unit '7'. It has: 3, 1, cell 2, 0, 9, 4"),
    ],
)
@pytest.mark.usefixtures("no_tsne")
def test_what_cannot_be_drawn_is_told(computed, options, words):
    with pytest.raises(InvalidOption, match=re.escape(words)):
        plot_neurid_embeddings(computed, **options)


def test_without_results_there_is_no_picture(analyzer):
    with pytest.raises(NoResults, match="has no embeddings"):
        plot_neurid_embeddings(analyzer)
    with pytest.raises(NoResults, match="has no predictions"):
        plot_neurid_predictions(analyzer)


def test_two_points_are_no_picture(make_analyzer, sorting):
    analyzer = make_analyzer(units=sorting.select_units(["3", "1", "0"]))
    analyzer.compute(EMBEDDINGS, encoder="isi")
    with pytest.raises(NoResults, match=r"2 units have a vector, the plot needs at least 3\."):
        plot_neurid_embeddings(analyzer)


def test_locations_reach_the_population(voltage, sorting, analyzer, predicting):
    analyzer.compute(["random_spikes", "templates"], progress_bar=False)
    assert read_population(analyzer, predicting).positions_um is None
    analyzer.compute("unit_locations", method="grid_convolution", progress_bar=False)
    positions = read_population(analyzer, predicting).positions_um
    np.testing.assert_allclose(positions[:, :2], analyzer.get_extension("unit_locations").get_data()[:, :2], rtol=1e-6)

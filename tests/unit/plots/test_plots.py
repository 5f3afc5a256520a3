"""Figures of recordings and results: they draw on axes that are given, and return them."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.contracts.training import TrainingLog
from nwb_neurid.errors import InvalidOption, InvalidResults
from nwb_neurid.plots import plot_confusion, plot_embedding, plot_neuron, plot_predictions, plot_training
from nwb_neurid.plots.figure import show_text
from nwb_neurid.population import Population, Traces
from nwb_neurid.results import Embeddings, Predictions

HOSTILE = ("$\\frac{", "_hidden", "\x1b[31m", "\u202egnp", "<b>", "=1+1", "x" * 10_000, "a\nb")


@pytest.fixture(autouse=True)
def closed():
    """Figures of pyplot are closed after each test."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def axes():
    from matplotlib import pyplot as plt

    return plt.subplots()[1]


@pytest.fixture(scope="module")
def population(make_population):
    types = np.array(["PV", "SST", "", "PV", "SST", "PV"])
    return make_population(units=6, labels={"cell_type": types}, group=np.array(list("aabbbb")))


@pytest.fixture(scope="module")
def embeddings(population):
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    return Embeddings.of(population, vectors, reasons=["", "", "", "", "", "silent"])


def predict(population, classes=("PV", "SST")):
    units, names = len(population), np.array(classes)
    shares = np.full((units, len(names)), 0.2 / (len(names) - 1), np.float32)
    shares[np.arange(units), np.arange(units) % len(names)] = 0.8
    return Predictions(
        label_name="cell_type",
        scope="",
        classes=names,
        unit_ids=population.unit_ids,
        label=names[np.arange(units) % len(names)],
        class_probabilities=shares,
        prediction_set=shares > 0.5,
        abstained=np.arange(units) == 1,
        reasons=np.where(np.arange(units) == 1, "not confident enough", ""),
        ood_score=np.zeros(units, np.float32),
        prevalence=np.full(len(names), 1 / len(names), np.float32),
        coverage=0.9,
    )


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_points_are_coloured_by_a_known_label(embeddings, population, axes):
    assert plot_embedding(embeddings, color_by="cell_type", population=population, ax=axes) is axes
    assert legend(axes) == ["PV (2)", "SST (2)", "not labelled (1)"]
    shapes = {len(drawn.get_paths()[0].vertices) for drawn in axes.collections[:2]}
    assert len(shapes) == 2


def test_a_prediction_comes_before_a_known_label(embeddings, population):
    both = replace(embeddings, predictions={"cell_type": predict(population)})
    assert legend(plot_embedding(both, color_by="cell_type", population=population)) == [
        "PV (3)",
        "SST (1)",
        "not labelled (1)",
    ]


def test_numbers_have_a_colour_bar(embeddings, population, axes):
    plot_embedding(embeddings, color_by="firing_rate", population=population, ax=axes)
    np.testing.assert_allclose(
        axes.collections[0].get_array(), np.diff(population.spikes.splits)[:5] / population.duration_s
    )
    values = np.arange(6.0)
    assert plot_embedding(embeddings, color_by=values, points=np.zeros((6, 2))).get_xlabel() == "dimension 1"


def test_what_cannot_colour_is_named(embeddings, population):
    with pytest.raises(InvalidOption, match=r"There is no 'type' to colour by\. Choose one of: stability, n_windows\."):
        plot_embedding(embeddings, color_by="type")
    with pytest.raises(InvalidOption, match="one value for each of 6 units, got shape"):
        plot_embedding(embeddings, color_by=[1, 2])
    with pytest.raises(InvalidOption, match="points must have shape"):
        plot_embedding(embeddings, points=np.zeros((2, 2)))
    few = Embeddings.of(population, np.ones((6, 2)), reasons=["", "", *["silent"] * 4])
    with pytest.raises(InvalidOption, match="2 units have a vector; t-SNE needs 4 or more"):
        plot_embedding(few)


def test_probabilities_are_ordered_by_class(population, axes):
    found = predict(population)
    assert plot_predictions(found, ax=axes) is axes
    np.testing.assert_array_equal(axes.images[0].get_array(), found.class_probabilities[[0, 2, 4, 1, 3, 5]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "2", "4", "1", "3", "5"]
    named, abstained = axes.collections
    assert len(named.get_offsets()) == 5
    assert len(abstained.get_facecolor()) == 0
    shown = plot_predictions(found, rows=np.array([3, 1]))
    assert [text.get_text() for text in shown.get_yticklabels()] == ["3", "1"]


def test_confusion_is_coloured_by_rates_and_counts_abstained_units(population, axes):
    plot_confusion(predict(population), population.labels["cell_type"], ax=axes)
    shares = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shares, [[1 / 3, 2 / 3, 0], [1 / 2, 0, 1 / 2]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["PV (n = 3)", "SST (n = 2)"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["PV", "SST", "abstained"]
    with pytest.raises(InvalidResults, match="one label for each of 6 units, got 2"):
        plot_confusion(predict(population), np.array(["PV", "SST"]))
    with pytest.raises(InvalidResults, match="No unit has both a known and a predicted cell_type"):
        plot_confusion(predict(population), np.full(6, ""))


def test_a_neuron_has_four_panels(population):
    panels = plot_neuron(population, 2, duration_s=5.0)
    assert [panel.get_title() for panel in panels] == ["", "autocorrelogram", "inter-spike intervals", "spikes"]
    train = population.spikes.train_s(2)
    assert len(panels[3].collections[0].get_positions()) == np.sum(train < 5.0)
    again = plot_neuron(population, 3, axes=panels)
    assert again.tolist() == panels.tolist()
    with pytest.raises(InvalidOption, match=r"There is no row 6: the population has 6 units\."):
        plot_neuron(population, 6)
    with pytest.raises(InvalidOption, match="four axes, got 1"):
        plot_neuron(population, 0, axes=panels[:1])


def test_an_imaged_neuron_has_a_trace():
    traces = Traces(values=np.zeros((1, 300), np.float32), rate_hz=30.0)
    imaged = Population(unit_ids=np.array(["a"]), activity=traces, observed_s=np.array([[0.0, 10.0]]))
    assert len(plot_neuron(imaged, 0, start_s=2.0, duration_s=3.0)[3].lines[0].get_xdata()) == 90


def test_trainings_are_drawn_beside_one_another(axes):
    loss = np.linspace(3, 1, 200)
    log = TrainingLog(loss=loss, matched=np.ones(200, np.int64), steps=200, seconds=1.0)
    plot_training(log, label="a", ax=axes)
    plot_training(loss + 1, label="b", ax=axes)
    assert legend(axes) == ["a, each step", "a, mean of 4 steps", "b, each step", "b, mean of 4 steps"]
    assert len({line.get_color() for line in axes.get_lines()}) == 2


def test_hostile_names_are_drawn_as_text(embeddings, population):
    names = np.array([*HOSTILE[:5], "=1+1"])
    hostile = replace(population, unit_ids=names, labels={"cell_type": names})
    drawn = [
        plot_embedding(embeddings, color_by="cell_type", population=hostile, points=np.zeros((6, 2))),
        plot_predictions(predict(hostile, classes=HOSTILE)),
        plot_confusion(predict(hostile, classes=HOSTILE), names),
        plot_neuron(hostile, 0)[0],
    ]
    for axes in drawn:
        axes.figure.canvas.draw()
    assert len(legend(drawn[0])) == 5


@pytest.mark.parametrize("name", HOSTILE)
def test_texts_are_shown_on_one_line(name):
    shown = show_text(name)
    assert shown.isprintable()
    assert len(shown) <= 50
    assert not shown.startswith("_")

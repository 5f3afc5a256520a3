"""The vectors of a population as a scatter plot in two dimensions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid.errors import InvalidOption
from nwb_neurid.plots.figure import GREY, MARKERS, PALETTE, draw_figure, make_axes, show_text
from nwb_neurid.population import Population, Spikes
from nwb_neurid.results import Embeddings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 4  # units, for t-SNE
RIM: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.5}


def project_vectors(vectors: Float32[np.ndarray, "units dim"], *, seed: int) -> Float64[np.ndarray, "units 2"]:
    """Project standardised vectors to two dimensions by t-SNE (van der Maaten and Hinton 2008), started from PCA."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(vectors)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(scaled), np.float64)


def plot_embedding(
    embeddings: Embeddings,
    *,
    color_by: str | Sequence[object] | Shaped[np.ndarray, " units"] | None = None,
    population: Population | None = None,
    points: Float64[np.ndarray, "units 2"] | None = None,
    seed: int = 0,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the vectors in two dimensions, with one point for each unit. Each class has its own colour and shape.

    Parameters
    ----------
    embeddings
        The vectors. Units without a vector are left out.
    color_by
        Values that determine the colours: one value for each unit (text or numbers), or a name. The name is a predicted
        label (`embeddings.predictions`), a known label (`population.labels`), "stability", "n_windows", "group" or
        "firing_rate". If a label is both predicted and known, the prediction is used. With None, all points have the
        same colour.
    population
        The recording. It is needed to colour the points by known labels, groups or firing rates.
    points
        Two coordinates of each unit, shape (units, 2). By default, they are computed from the standardised vectors by
        t-SNE.
    seed
        Random seed of t-SNE, for reproducible results.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    InvalidOption
        If there are no values with the name `color_by`, if the number of values is not the number of units, or if there
        are too few vectors.

    Examples
    --------
    >>> from nwb_neurid import embed
    >>> from nwb_neurid.testing import mock_population
    >>> population = mock_population(units=12)
    >>> axes = plot_embedding(embed(population, model="isi"), color_by="firing_rate", population=population)
    >>> axes.get_xlabel()
    't-SNE 1'
    """
    seen = embeddings.reasons == ""
    values, title = choose_values(embeddings, color_by, population)
    places, names = place_units(embeddings, points, seed)
    axes = make_axes(ax)
    draw_points(axes, places[seen], values[seen], title=title)
    axes.set(xticks=[], yticks=[], xlabel=names[0], ylabel=names[1])
    return axes


def place_units(
    embeddings: Embeddings, points: Float64[np.ndarray, "units 2"] | None, seed: int
) -> tuple[Float64[np.ndarray, "units 2"], tuple[str, str]]:
    """Return two coordinates for each unit, computed by t-SNE unless points are given, and the names of the axes.

    Raises
    ------
    InvalidOption
        If there are too few vectors, or the points have a wrong shape.
    """
    if points is not None:
        if np.shape(points) != (len(embeddings), 2):
            raise InvalidOption(f"points must have shape ({len(embeddings)}, 2), got {np.shape(points)}.")
        return np.asarray(points, np.float64), ("dimension 1", "dimension 2")
    seen = embeddings.reasons == ""
    if seen.sum() < FEWEST:
        raise InvalidOption(f"{int(seen.sum())} units have a vector; t-SNE needs {FEWEST} or more. Pass points.")
    places = np.full((len(embeddings), 2), np.nan)
    places[seen] = project_vectors(embeddings.vectors[seen], seed=seed)
    return places, ("t-SNE 1", "t-SNE 2")


def choose_values(
    embeddings: Embeddings, color_by: str | Sequence[object] | np.ndarray | None, population: Population | None
) -> tuple[Shaped[np.ndarray, " units"], str]:
    """Find one value for each unit (text or a number), and a name for these values.

    Raises
    ------
    InvalidOption
        If there are no values of this name, or if the number of values is not the number of units.
    """
    units = len(embeddings)
    if color_by is None:
        return np.full(units, ""), ""
    if not isinstance(color_by, str):
        values = np.asarray(color_by)
        if values.shape != (units,):
            raise InvalidOption(f"color_by must have one value for each of {units} units, got shape {values.shape}.")
        return values if values.dtype.kind in "biuf" else values.astype(np.str_), ""
    there: dict[str, np.ndarray] = {"stability": embeddings.stability, "n_windows": embeddings.n_windows}
    if population is not None and len(population) == units:
        there |= {name: values.astype(np.str_) for name, values in population.labels.items()}
        if population.group is not None:
            there["group"] = population.group.astype(np.str_)
        if isinstance(population.activity, Spikes):
            seconds = population.unit_duration_s()
            there["firing_rate"] = np.diff(population.activity.splits) / np.where(seconds > 0, seconds, np.nan)
    there |= {
        name: np.where(part.abstained, "", part.label).astype(np.str_) for name, part in embeddings.predictions.items()
    }
    if color_by not in there:
        raise InvalidOption(f"There is no {color_by!r} to colour by. Choose one of: {', '.join(there)}.")
    return there[color_by], color_by


def draw_points(
    axes: "Axes",
    points: Float64[np.ndarray, "units 2"],
    values: Shaped[np.ndarray, " units"],
    *,
    title: str = "",
    alpha: Float64[np.ndarray, " units"] | None = None,
) -> None:
    """Draw points coloured by numbers (with a colour bar), or by text (with a legend that counts units)."""
    x, y = points.T
    opacity: Any = np.ones(len(points)) if alpha is None else alpha
    if values.dtype.kind in "biuf":
        drawn = axes.scatter(x, y, c=values.astype(float), s=28, cmap="viridis", plotnonfinite=False, alpha=opacity)
        axes.figure.colorbar(drawn, ax=axes, label=show_text(title))
        return
    names = sorted(set(values.tolist()), key=lambda name: (name == "", name))
    for index, name in enumerate(names):
        own = values == name
        colour = PALETTE[index % len(PALETTE)] if name else GREY
        marker = MARKERS[index % len(MARKERS)] if name else "o"
        label = f"{show_text(name) if name else 'not labelled'} ({int(own.sum())})"
        axes.scatter(x[own], y[own], s=28, color=colour, marker=marker, alpha=opacity[own], label=label, **RIM)
    if names != [""]:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title=show_text(title) or None)


def draw_embedding(
    points: Float64[np.ndarray, "units 2"], labels: Shaped[np.ndarray, " units"], path: Path, *, title: str
) -> None:
    """Draw points coloured by label into a PNG file.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    with draw_figure(path, (6.4, 4.8)) as axes:
        draw_points(axes, points, labels)
        axes.set(title=show_text(title), xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")

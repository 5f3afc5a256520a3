"""The vectors of a population as a picture in two dimensions."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid.errors import CannotWrite

PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)  # Okabe and Ito


def flat(vectors: Float32[np.ndarray, "units dim"], *, seed: int) -> Float64[np.ndarray, "units 2"]:
    """Standardised vectors in two dimensions by t-SNE (van der Maaten and Hinton 2008), started from their PCA."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(vectors)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(scaled), np.float64)


def draw(
    points: Float64[np.ndarray, "units 2"], labels: Shaped[np.ndarray, " units"], path: Path, *, title: str
) -> None:
    """Write a PNG of the points, coloured by label.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
    axes = figure.subplots()
    for index, name in enumerate(sorted(set(labels.tolist()))):
        x, y = points[labels == name].T
        colour = PALETTE[index % len(PALETTE)]
        axes.scatter(x, y, s=28, color=colour, edgecolor="white", linewidth=0.5, label=name or "unlabelled")
    axes.set(title=title, xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}.") from error

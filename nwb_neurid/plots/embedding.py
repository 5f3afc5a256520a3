"""The vectors of a population as a scatter plot in two dimensions."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid.plots.figure import PALETTE, draw_figure


def project_vectors(vectors: Float32[np.ndarray, "units dim"], *, seed: int) -> Float64[np.ndarray, "units 2"]:
    """Project standardised vectors to two dimensions by t-SNE (van der Maaten and Hinton 2008), started from PCA."""
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(vectors)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return np.asarray(TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(scaled), np.float64)


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
        for index, name in enumerate(sorted(set(labels.tolist()))):
            x, y = points[labels == name].T
            colour = PALETTE[index % len(PALETTE)]
            axes.scatter(x, y, s=28, color=colour, edgecolor="white", linewidth=0.5, label=name or "unlabelled")
        axes.set(title=title, xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

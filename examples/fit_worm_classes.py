"""Train `company` on imaging, fit a head for the neuron classes of C. elegans, and score both on held-out worms.

    python examples/fit_worm_classes.py FOLDER nwb_neurid/model/weights/worm-classes
    python examples/fit_worm_classes.py FOLDER --score company-calcium

FOLDER holds `worms/*.nwb`, whole-head recordings with NeuroPAL names, and `ophys/allen_552195520_excerpt.nwb`. The
encoder is trained on simulated animals, the excerpt and all worms, without labels. The head is fitted to the moving
worms, and to the classes that all of them have. For the scores, encoder and head are fitted again without each worm,
and no setting is chosen by these scores. With `--score MODEL`, the vectors are computed by MODEL, which is not trained
again, and only the scores are printed.
"""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import train_company

from nwb_neurid import fit_labels, load_model, new_model, read
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population

IMMOBILE = "kato"
"""Immobilised worms have this in their names. They are not used for heads, because their activity differs."""

SCOPE = (
    "head neurons of freely moving adult C. elegans that belong to one of the classes found in all six worms of one "
    "laboratory (the prediction set of a neuron of another class is always wrong)"
)
SOURCES = (
    "whole-head calcium imaging, with the names of neurons by NeuroPAL from github.com/flavell-lab/NSM_5HTR_analysis "
    "(no licence stated)"
)
COVERAGE = 0.9
SMALL_SET = 5


def read_recordings(folder: Path) -> tuple[dict[str, Population], list[Population]]:
    """Read the worms, by name, and the other training data of the encoder: the excerpt and simulated animals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)
        worms = {path.stem: read(path) for path in sorted((folder / "worms").glob("*.nwb"))}
        others = [read(folder / "ophys" / "allen_552195520_excerpt.nwb")]
    return worms, [*others, *train_company.make_animals("imaging")]


def train(worms: Sequence[Population], others: Sequence[Population]) -> Model:
    """Train an encoder without labels."""
    pairs = train_company.PAIRS
    steps = pairs * (len(worms) + len(others))
    untrained = new_model("company", preset="imaging", untrained=True)
    return fit(untrained, [*others, *worms], TrainingOptions(steps=steps, windows=pairs))[0]


def find_classes(worms: Mapping[str, Population]) -> set[str]:
    """Find the classes that all of these worms have."""
    return set.intersection(*(set(worm.labels["cell_type"].tolist()) for worm in worms.values())) - {""}


def fit_head(model: Model, worms: Mapping[str, Population], held_out: str = "") -> Model:
    """Fit a head to all moving worms except the held-out one, and add it to the model."""
    moving = {name: worm for name, worm in worms.items() if IMMOBILE not in name and name != held_out}
    classes = list(find_classes(moving))
    known = []
    for worm in moving.values():
        names = worm.labels["cell_type"]
        known.append(replace(worm, labels={"cell_type": np.where(np.isin(names, classes), names, "")}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)  # that the encoder was trained on these worms
        return fit_labels(model, known, label="cell_type", scope=SCOPE, coverage=COVERAGE)


def score(
    worms: Mapping[str, Population], others: Sequence[Population], model: Model | None = None
) -> dict[str, object]:
    """Score the predicted classes of held-out worms.

    The scores are the shares of neurons for which the true class is the most probable class, one of the five most
    probable classes, or in the prediction set. Without a model, an encoder is trained without each worm.
    """
    moving = {name: worm for name, worm in worms.items() if IMMOBILE not in name}
    common = find_classes(moving)
    first, early, inside, sizes, by_worm = [], [], [], [], {}
    for name, worm in moving.items():
        trained = model or train([each for other, each in worms.items() if other != name], others)
        fitted = fit_head(trained, worms, name)
        predictions = fitted.predict(fitted.embed(worm))
        truth = worm.labels["cell_type"]
        rank = np.argsort(-predictions.class_probabilities, axis=1, kind="stable")
        hits = predictions.classes[rank] == truth[:, None]
        rows = np.isin(truth, list(common))
        first += hits[rows, 0].tolist()
        early += hits[rows, :SMALL_SET].any(axis=1).tolist()
        rows = np.isin(truth, predictions.classes)
        at = np.searchsorted(predictions.classes, truth[rows])
        held = predictions.prediction_set[rows, at]
        inside += held.tolist()
        sizes += predictions.prediction_set[rows].sum(axis=1).tolist()
        by_worm[name] = round(float(held.mean()), 3)
        print(
            f"{name}: {hits[np.isin(truth, list(common)), 0].mean():.2f} right, coverage {held.mean():.2f}", flush=True
        )
    return {
        "neurons": len(first),
        "true class ranked first": round(float(np.mean(first)), 3),
        f"true class among the first {SMALL_SET}": round(float(np.mean(early)), 3),
        f"coverage of {COVERAGE:.0%} sets": round(float(np.mean(inside)), 3),
        "coverage by worm": by_worm,
        "classes in a set": round(float(np.mean(sizes)), 1),
    }


def main() -> None:
    """Score held-out worms, train on all worms, and save the model."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path, help="folder that contains worms/ and ophys/")
    asked.add_argument("output", type=Path, nargs="?", help="folder of the model")
    asked.add_argument("--score", metavar="MODEL", help="only print the scores of this model")
    options = asked.parse_args()
    if (options.output is None) == (options.score is None):
        asked.error("Give either the folder of the model to write, or --score MODEL.")
    worms, others = read_recordings(options.folder)
    if options.score:
        print(score(worms, others, load_model(options.score)))
        return
    held_out = score(worms, others)
    print(held_out, flush=True)
    model = fit_head(train(list(worms.values()), others), worms)
    data = (
        f"{len(others) - 1} SIMULATED animals, an excerpt of a two-photon recording of a mouse of the Allen Brain "
        f"Observatory, and {len(worms)} C. elegans of two laboratories; {SOURCES}"
    )
    about = {**model.details, "data": data, "on held-out worms": held_out, "on_request": True}
    model = replace(model, training=f"{model.training}. The data: {data}", details=about)
    model.save(options.output, overwrite=True)


if __name__ == "__main__":
    main()

"""Train the fingerprint that ships, fit its label heads to identified cells, and score both on held-out animals.

    python examples/fit_cell_types.py FOLDER nwb_neurid/model/weights/cell-types

FOLDER holds `identified_cells/cellexplorer.npz`: identified cells of the CellExplorer ground truth (Petersen et al.
2021) as histograms and waveforms. Recordings of such cells lie beside it as NWB files: their spike trains train the
code of the autocorrelogram conditional on the firing rate, which histograms do not have, and they say which
juxtacellular cells are pyramidal.

Every score is of cells of held-out animals: the encoder is trained anew without each animal, and so is the head. The
same is done without each project (the recordings of one group of animals in one laboratory), as types and projects
partly coincide. No setting of a head is chosen: it is the mean of linear heads over several inputs and strengths of
regularisation.

The head for `cell_type` ships. Scores of a head for `excitatory_inhibitory` are printed: on held-out projects it is no
better than CellExplorer's criterion, and so it does not ship.
"""

import argparse
import itertools
import json
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from neurid_fingerprint.encoder import Fingerprint
from neurid_fingerprint.inputs import WIDTHS, Cells, convert_histograms, measure_population
from nwb_neurid import new_model, read
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.labels.calibration import Calibration, fit_temperature
from nwb_neurid.labels.classifier import Classifier, fit_classifier
from nwb_neurid.labels.head import LabelHead, PublishedPrior, RequiredPart
from nwb_neurid.labels.novelty import Novelty, find_quantiles, fit_shape, measure_distance
from nwb_neurid.model.model import Model
from nwb_neurid.results import Json

STEPS = 200
WAVEFORM_RATE_HZ = 1e3 / 0.03
"""Of the waveforms in the table of cells: with it, trough-to-peak agrees with CellExplorer's own to one sample."""

TYPES = {"PV": "PV", "SST": "SST", "VIP": "VIP", "Axo_": "AAC", "Pyra": "pyramidal"}
KINDS = {**dict.fromkeys(("PV", "SST", "VIP", "Axo_", "VGAT"), "inhibitory"), "Pyra": "excitatory"}

INPUTS = (
    ("shape", "waveform", "lags", "linear", "intervals", "timing"),
    ("shape", "waveform", "lags", "linear", "timing"),
    ("shape", "waveform", "lags", "linear"),
    ("shape", "lags", "linear"),
)
STRENGTHS = (0.01, 0.05, 0.25)
"""A head is the mean of a linear head for each of these inputs and regularisations: nothing is chosen among them."""

MISSING = ((), ("waveform", "shape"), ("lags", "linear", "intervals", "timing", "conditional"))
"""A head is fitted to every cell three times: with all of its inputs, and without its waveform or its timing."""

WHOLE, TIMING = 0, 1
UNSEEN = 1e30
"""Scale of a dimension that a head does not look at."""

SHIPS, TRIED = "cell_type", "excitatory_inhibitory"
COVERAGE = 0.8
"""Of the prediction sets."""

PARTS = ("hippocampus", "cortex")
SCOPE = (
    "opto-tagged and juxtacellular neurons of mouse and rat hippocampus and visual cortex and of regions around them, "
    "a biased sample: one type an animal, most of them from two laboratories"
)
SHARES = (
    "Probabilities assume that all classes are equally common: opto-tagging decided how many of each there are. State "
    "how common they are with --prior."
)
FEWEST_OF_CLASS = 10
"""A head never predicts a class alone of which fewer cells are known."""

SOURCES = (
    "CellExplorer ground truth (Petersen et al. 2021, Neuron 109, 3594; github.com/petersenpeter/CellExplorer, "
    "BSD-3-Clause), as features of github.com/EricKenjiLee/PhysMAP_Manuscript (no licence stated)"
)
NEEDS_WAVEFORM = "no waveform: by spike times alone, too many predictions are wrong"
NEOCORTEX = {"PV": 0.057, "AAC": 0.003, "SST": 0.045, "VIP": 0.0225, "pyramidal": 0.85}
PRIORS = {
    "neocortex": PublishedPrior(
        shares=NEOCORTEX,
        source="15% GABAergic (Beaulieu 1993); of these 40% PV, 30% SST and 15% VIP (Rudy et al. 2011), with a "
        "twentieth of PV as axo-axonic cells",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Identified cells.

    Parameters
    ----------
    inputs
        Of the fingerprint, a row for each cell.
    labels
        By name, "cell_type" and "excitatory_inhibitory", shape (cells,); "" where unknown.
    animals
        The animal of each cell, shape (cells,).
    trains
        Inputs measured of spike trains, by animal.
    """

    inputs: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    animals: np.ndarray
    trains: Mapping[str, list[Mapping[str, np.ndarray]]]


def read_table(folder: Path) -> Table:
    """Read the identified cells, and the recordings beside them."""
    cells = np.load(folder / "identified_cells" / "cellexplorer.npz")
    types, animals = cells["cell_type"].astype("U16"), cells["animal"].astype("U40")
    kinds = np.array([KINDS.get(name, "") for name in types.tolist()], "U16")
    juxtacellular = {}
    trains: dict[str, list[Mapping[str, np.ndarray]]] = {}
    for path in sorted(folder.glob("cellexplorer*/*.nwb")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuridWarning)
            population = read(path)
        animal = population.subject_id.replace("AllenInstitute-", "AllenInstitute_")
        session = path.stem.rpartition("ses-")[2]
        if animal.startswith("hc"):
            animal = f"hc-1 {session[:4]}"
            juxtacellular[session] = (animal, str(population.labels["cell_type"][0]).lower())
        trains.setdefault(animal, []).append(measure_population(population))
    rows = np.flatnonzero(types == "Juxt")
    if len(rows) == len(juxtacellular):  # both in the order of the sessions
        for row, session in zip(rows.tolist(), sorted(juxtacellular), strict=True):
            animals[row], said = juxtacellular[session]
            types[row] = "Pyra" if "pyr" in said else "interneuron"
            kinds[row] = "excitatory" if "pyr" in said else "inhibitory"
    inputs = convert_histograms(
        Cells(
            isi=cells["isi"],
            acg_log=cells["acg_log"],
            acg_wide=cells["acg_wide"],
            waveform=cells["waveform"],
            waveform_rate_hz=WAVEFORM_RATE_HZ,
        )
    )
    named = np.array([TYPES.get(name, "") for name in types.tolist()], "U16")
    labels = {"cell_type": named, "excitatory_inhibitory": kinds}
    return Table(inputs=inputs, labels=labels, animals=animals, trains=trains)


def find_projects(animals: np.ndarray) -> np.ndarray:
    """The project of each animal: all of one laboratory, or those whose names begin alike."""
    return np.array([re.split(r"[\d_ ]", name)[0] for name in animals.tolist()])


def train_encoder(table: Table, left_out: str = "") -> Fingerprint:
    """Train a fingerprint on all cells, labelled or not, but for those of one animal."""
    encoder = new_model("fingerprint", untrained=True).encoder
    kept = table.animals != left_out
    parts = [{name: values[kept] for name, values in table.inputs.items()}]
    for animal, found in table.trains.items():
        if animal != left_out:
            parts += [drop(each, set(each) - {"conditional"}) for each in found]
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in WIDTHS}
    encoder.train(inputs, TrainingOptions(steps=STEPS))
    return encoder


def drop(inputs: Mapping[str, np.ndarray], missing: Collection[str]) -> dict[str, np.ndarray]:
    """The inputs, some of them missing."""
    return {name: np.nan * values if name in missing else values for name, values in inputs.items()}


def encode(encoder: Fingerprint, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Vectors of the cells in single precision, once for each way in which inputs are missing."""
    return [encoder.encode(drop(inputs, missing)).astype(np.float32).astype(np.float64) for missing in MISSING]


def weigh(truth: np.ndarray, animals: np.ndarray) -> np.ndarray:
    """Weights with which every animal counts the same within a class."""
    pairs = [f"{kind} {animal}" for kind, animal in zip(truth.tolist(), animals.tolist(), strict=True)]
    _, at, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return 1 / counts[at]


def fit_mean(
    encoder: Fingerprint, vectors: list[np.ndarray], truth: np.ndarray, animals: np.ndarray, classes: int
) -> Classifier:
    """The mean of the linear heads over `INPUTS` and `STRENGTHS`, as one classifier."""
    center, scale = vectors[WHOLE].mean(axis=0), vectors[WHOLE].std(axis=0)
    scale = np.where(scale > 0, scale, UNSEEN)
    seen = np.zeros(encoder.dim, np.bool_)
    mean_weights, mean_bias = np.zeros((encoder.dim, classes)), np.zeros(classes)
    own = np.tile(weigh(truth, animals), len(MISSING))
    for names, strength in itertools.product(INPUTS, STRENGTHS):
        used = np.zeros(encoder.dim, np.bool_)
        for name in names:
            used[encoder.columns[name]] = True
        seen |= used
        rows = np.concatenate(
            [np.where(used, (part - center) / np.where(scale > 0, scale, 1.0), 0.0) for part in vectors]
        )
        one = fit_classifier(rows, np.tile(truth, len(MISSING)), classes, strength=strength / len(MISSING), weights=own)
        weights, bias = one.layers[0]
        weights = np.where(used[:, None], weights / one.scale[:, None], 0.0)
        mean_weights += weights
        mean_bias += bias - one.center @ weights
    count = len(INPUTS) * len(STRENGTHS)
    layer = mean_weights / count, mean_bias / count
    return Classifier(center=center, scale=np.where(seen, scale, UNSEEN), layers=(layer,))


def score_left_out(table: Table, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of every labelled cell by an encoder and a head that have not seen its animal, whole and by timing alone.

    Returns
    -------
    scores
        Shape (2, cells, classes).
    distances
        How far each cell lies from those of other animals, shape (2, cells).
    """
    classes, known = np.unique(labels[labels != ""]), labels != ""
    truth = np.searchsorted(classes, labels)
    scores, distances = np.zeros((2, len(labels), len(classes))), np.zeros((2, len(labels)))
    for animal in np.unique(table.animals[known]).tolist():
        encoder = train_encoder(table, animal)
        vectors = encode(encoder, table.inputs)
        rows, own = known & (table.animals != animal), known & (table.animals == animal)
        head = fit_mean(encoder, [part[rows] for part in vectors], truth[rows], table.animals[rows], len(classes))
        both = np.concatenate([head.standardise(vectors[at][rows]) for at in (WHOLE, TIMING)])
        shape = fit_shape(both, np.tile(truth[rows], 2))
        for at in (WHOLE, TIMING):
            scores[at, own] = head.score(vectors[at][own])
            distances[at, own] = measure_distance(head.standardise(vectors[at][own]), *shape)
    return scores, distances


def calibrate(scores: np.ndarray, truth: np.ndarray, animals: np.ndarray) -> Calibration:
    """The calibration that scores of held-out animals give, whole cells and their timing alone counting the same."""
    rows = np.concatenate([scores[WHOLE], scores[TIMING]])
    known, animal = np.tile(truth, 2), np.unique(np.tile(animals, 2), return_inverse=True)[1]
    equal = np.full(scores.shape[2], 1 / scores.shape[2])
    sharpness, lapse = fit_temperature(rows, known, animal, equal)
    return Calibration(
        scores=rows, truth=known, animal=animal, neighbours=None, prevalence=equal, sharpness=sharpness, lapse=lapse
    )


def judge(scores: np.ndarray, truth: np.ndarray, animals: np.ndarray, at: int, coverage: float) -> dict[str, float]:
    """What predictions are worth: of every animal, as the calibration by all others gives them."""
    inside, size, predicted, right = (np.zeros(len(truth)) for _ in range(4))
    for animal in np.unique(animals):
        own, rest = animals == animal, animals != animal
        calibration = calibrate(scores[:, rest], truth[rest], animals[rest])
        shares = calibration.compute_probabilities(scores[at][own])
        best, rows = shares.argmax(axis=1), np.arange(own.sum())
        plausible = shares >= calibration.find_set_threshold(coverage) - 1e-12
        predicted[own] = (plausible.sum(axis=1) == 1) & (shares.max(axis=1) >= calibration.find_confidence())
        predicted[own] *= np.bincount(truth)[best] >= FEWEST_OF_CLASS
        plausible[rows, best] = True
        inside[own], size[own], right[own] = plausible[rows, truth[own]], plausible.sum(axis=1), best == truth[own]
    named = predicted > 0
    return {
        "balanced_accuracy": float(balanced_accuracy_score(truth, scores[at].argmax(axis=1))),
        "macro_f1": float(f1_score(truth, scores[at].argmax(axis=1), average="macro")),
        "coverage_of_sets": float(inside.mean()),
        "mean_size_of_sets": float(size.mean()),
        "share_predicted": float(predicted.mean()),
        "share_wrong_among_predicted": float(1 - right[named].mean()) if named.any() else np.nan,
        "share_wrong_if_all_were_predicted": float(1 - right.mean()),
    }


def score_projects(
    table: Table, labels: np.ndarray, scores: np.ndarray, distances: np.ndarray
) -> dict[str, float | dict[str, float]]:
    """What predictions are worth where the whole project of a cell is held out.

    Parameters
    ----------
    table, labels
        The cells.
    scores, distances
        Of each cell by an encoder and a head that have not seen its animal, as `score_left_out` gives them.
    """
    known, projects = labels != "", find_projects(table.animals)
    held_out, far = score_left_out(replace(table, animals=projects, trains={}), labels)
    classes, truth = np.unique(labels[known], return_inverse=True)
    animals, projects = table.animals[known], projects[known]
    own, others, far, near = held_out[WHOLE, known], scores[:, known], far[WHOLE, known], distances[WHOLE, known]
    named, right, inside = (np.zeros(len(truth), np.bool_) for _ in range(3))
    for project in np.unique(projects):
        here = projects == project
        calibration = calibrate(others[:, ~here], truth[~here], animals[~here])
        shares = calibration.compute_probabilities(own[here])
        best, rows = shares.argmax(axis=1), np.arange(here.sum())
        plausible = shares >= calibration.find_set_threshold(COVERAGE) - 1e-12
        alike = far[here] <= np.quantile(near[~here], 0.99)
        sure = (plausible.sum(axis=1) == 1) & (shares.max(axis=1) >= calibration.find_confidence())
        named[here] = sure & alike & (np.bincount(truth)[best] >= FEWEST_OF_CLASS)
        plausible[rows, best] = True
        right[here], inside[here] = best == truth[here], plausible[rows, truth[here]]
    recalls = recall_score(truth, own.argmax(axis=1), average=None)
    return {
        "balanced_accuracy": float(balanced_accuracy_score(truth, own.argmax(axis=1))),
        "coverage_of_sets": float(inside.mean()),
        "share_predicted": float(named.mean()),
        "share_wrong_among_predicted": float(1 - right[named].mean()) if named.any() else np.nan,
        **{f"recall_of_{name}": float(each) for name, each in zip(classes.tolist(), recalls, strict=True)},
    }


def warn_of_projects(found: Mapping[str, float]) -> str:
    """What who predicts on recordings of other laboratories must know."""
    return (
        "SST, VIP and axo-axonic cells were known from one project each, so that types and laboratories cannot be "
        f"told apart. With a whole project held out, balanced accuracy was {found['balanced_accuracy']:.2f} and "
        f"sets of {COVERAGE:.0%} held {found['coverage_of_sets']:.0%} of the types; "
        f"{found['share_predicted']:.0%} of the cells were predicted, "
        f"{found['share_wrong_among_predicted']:.0%} of them wrongly."
    )


def fit_head(model: Model, table: Table, label: str) -> LabelHead:
    """The head that ships: fitted to all cells, calibrated and scored on held-out animals."""
    labels = table.labels[label]
    scores, distances = score_left_out(table, labels)
    elsewhere = score_projects(table, labels, scores, distances)
    known = labels != ""
    classes, truth = np.unique(labels[known], return_inverse=True)
    animals, scores, distances = table.animals[known], scores[:, known], distances[:, known]
    vectors = [part[known] for part in encode(model.encoder, table.inputs)]
    classifier = fit_mean(model.encoder, vectors, truth, animals, len(classes))
    both = np.concatenate([classifier.standardise(vectors[at]) for at in (WHOLE, TIMING)])
    means, precision = fit_shape(both, np.tile(truth, 2))
    calibration = calibrate(scores, truth, animals)
    spread = find_quantiles(distances.ravel(), calibration.animal)
    whole = judge(scores, truth, animals, WHOLE, COVERAGE)
    recalls = recall_score(truth, scores[WHOLE].argmax(axis=1), average=None)
    report = {
        "units": int(known.sum()),
        "animals": len(np.unique(animals)),
        "units_of_class": dict(zip(classes.tolist(), np.bincount(truth).tolist(), strict=True)),
        "animals_of_class": {name: len(np.unique(animals[truth == at])) for at, name in enumerate(classes.tolist())},
        "balanced_accuracy": whole["balanced_accuracy"],
        "macro_f1": whole["macro_f1"],
        "recall_of_class": dict(zip(classes.tolist(), recalls.tolist(), strict=True)),
        "on held-out animals, with waveform": whole,
        "on held-out animals, by spike times alone": judge(scores, truth, animals, TIMING, COVERAGE),
        "on held-out projects, with waveform": elsewhere,
        "subjects": np.unique(animals).tolist(),
        "activities": ["spikes"],
    }
    dims = np.r_[model.encoder.columns["shape"], model.encoder.columns["waveform"]].tolist()
    return LabelHead(
        label_name=label,
        scope=SCOPE,
        classes=classes.astype(np.str_),
        kind="linear",
        prevalence=calibration.prevalence,
        coverage=COVERAGE,
        classifier=classifier,
        calibration=calibration,
        novelty=Novelty(means=means, precision=precision, distances=spread),
        encoder=model.identity,
        details=round_numbers(report),
        caveats=(SHARES, warn_of_projects(elsewhere)),
        priors=PRIORS if label == SHIPS else {},
        parts=PARTS,
        required=RequiredPart(dims=tuple(dims), reason=NEEDS_WAVEFORM, of="waveforms_uv"),
        rare=tuple(classes[np.bincount(truth) < FEWEST_OF_CLASS].tolist()),
    )


def round_numbers(value: Json) -> Json:
    """Numbers with three decimals, however deep they stand."""
    if isinstance(value, Mapping):
        return {name: round_numbers(each) for name, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    """Train, fit, score, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where identified_cells/ lies")
    parser.add_argument("output", type=Path, help="the model folder to write")
    options = parser.parse_args()
    table = read_table(options.folder)
    trained = f"{len(table.animals)} cells of {len(np.unique(table.animals))} animals of the CellExplorer ground truth"
    model = replace(
        new_model("fingerprint", untrained=True),
        encoder=train_encoder(table),
        training=f"{STEPS} steps, without labels, on {trained}",
        details={
            "subjects": np.unique(table.animals).tolist(),
            "units": len(table.animals),
            "steps": STEPS,
            "sources": SOURCES,
        },
    )
    tried = fit_head(model, table, TRIED)
    model = replace(model, heads={SHIPS: fit_head(model, table, SHIPS)})
    for head in (tried, model.heads[SHIPS]):
        shown = {name: value for name, value in head.details.items() if name != "subjects"}
        print(json.dumps({head.label_name: shown}, indent=2))
    model.save(options.output, overwrite=True)


if __name__ == "__main__":
    main()

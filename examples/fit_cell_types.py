"""Make the model `cell-types`: train the encoder `fingerprint`, fit its head to identified cells, and score both.

    python examples/fit_cell_types.py FOLDER nwb_neurid/model/weights/cell-types

FOLDER holds `identified_cells/cellexplorer.npz`: identified cells of the CellExplorer ground truth (Petersen et al.
2021) as histograms and waveforms. FOLDER also holds recordings of such cells as NWB files. Their spike trains are
needed for the autocorrelogram conditional on the firing rate, which cannot be computed from histograms. The recordings
also state which juxtacellular cells are pyramidal.

All scores are for held-out animals: for each animal, the encoder and the head are trained again without this animal.
The same is done for each project (the recordings of one group of animals in one laboratory), because types and
projects partly coincide. No setting of a head is chosen by its scores: the head is the mean of linear heads with
several inputs and strengths of regularisation.

The model contains the head for `cell_type`. For a head for `excitatory_inhibitory`, only the scores are printed. It is
not included, because on held-out projects it is no better than CellExplorer's criterion.
"""

import argparse
import itertools
import json
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from neurid_fingerprint import PLUGIN
from neurid_fingerprint.encoder import FEWEST_SPIKES, Fingerprint
from neurid_fingerprint.inputs import WIDTHS, Cells, convert_histograms, measure_population
from nwb_neurid import new_model, read
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.intervals import divided
from nwb_neurid.labels.calibration import Calibration, fit_temperature
from nwb_neurid.labels.classifier import Classifier, fit_classifier
from nwb_neurid.labels.head import LabelHead, PublishedPrior, RequiredPart
from nwb_neurid.labels.novelty import UNLIKE, Novelty, find_quantiles, fit_shape, measure_distance
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Json

STEPS = 200
WAVEFORM_RATE_HZ = 1e3 / 0.03
"""Sampling rate of the waveforms in the table: with it, trough-to-peak is CellExplorer's value to one sample."""

TYPES = {"PV": "PV", "SST": "SST", "VIP": "VIP", "Axo_": "AAC", "Pyra": "pyramidal"}
KINDS = {**dict.fromkeys(("PV", "SST", "VIP", "Axo_", "VGAT"), "inhibitory"), "Pyra": "excitatory"}

INPUTS = (
    ("shape", "waveform", "lags", "linear", "intervals", "timing"),
    ("shape", "waveform", "lags", "linear", "timing"),
    ("shape", "waveform", "lags", "linear"),
    ("shape", "lags", "linear"),
)
STRENGTHS = (0.01, 0.05, 0.25)
"""A head is the mean of the linear heads for all combinations of these inputs and regularisations."""

MISSING = ((), ("waveform", "shape"), ("lags", "linear", "intervals", "timing", "conditional"))
"""A head is fitted to every cell three times: with all inputs, without the waveform, and without the timing."""

WHOLE, TIMING = 0, 1
UNSEEN = 1e30
"""Scale of a dimension that a head does not use."""

SPELLED = {"PV": "PV", "SST": "SST", "VIP": "VIP", "Axo": "AAC", "AAC": "AAC", "pyr": "pyramidal", "Pyr": "pyramidal"}
"""Parts of the names of types in recordings."""

LENGTH_MS = 1.6
"""Duration of a waveform, if the recording states no sampling rate and is not from the Allen Institute."""

ALLEN_HZ = 30000.0

STRETCHES = 4
"""The head abstains from a cell whose most probable class changes between quarters of its recording."""

SHIPS, TRIED = "cell_type", "excitatory_inhibitory"
COVERAGE = 0.8
"""Coverage of the prediction sets."""

PARTS = ("hippocampus", "cortex")
SCOPE = (
    "opto-tagged or juxtacellularly recorded neurons of mice and rats, in the hippocampus, the visual cortex and "
    "regions around them (a biased sample: each animal has cells of one type only, and most animals come from two "
    "laboratories)"
)
SHARES = (
    "Probabilities assume that all classes are equally common, because the numbers of cells in the training data "
    "depend on what was opto-tagged. If you know how common the classes are, give these frequencies with --prior."
)
STIMULATION = (
    "Optogenetic stimulation changes firing, and therefore these predictions. If a recording does not state when the "
    "light was on, leave out the times with light, using --exclude."
)
FEWEST_OF_CLASS = 10
"""A head abstains if its most probable class has fewer labelled cells than this."""

SOURCES = (
    "CellExplorer ground truth (Petersen et al. 2021, Neuron 109, 3594; github.com/petersenpeter/CellExplorer, "
    "BSD-3-Clause), as features of github.com/EricKenjiLee/PhysMAP_Manuscript (no licence stated)"
)
NEEDS_WAVEFORM = "no waveform (from spike times alone, too many predictions are wrong)"
NEOCORTEX = {"PV": 0.057, "AAC": 0.003, "SST": 0.045, "VIP": 0.0225, "pyramidal": 0.85}
PRIORS = {
    "neocortex": PublishedPrior(
        shares=NEOCORTEX,
        source="15% of the neurons are GABAergic (Beaulieu 1993); of the GABAergic neurons, 40% are PV, 30% SST and "
        "15% VIP (Rudy et al. 2011); a twentieth of the PV cells are axo-axonic",
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Recorded:
    """Identified cells whose spike trains were recorded together.

    Parameters
    ----------
    animal, session
        The animal and the session of the cells.
    population
        The cells, as they were read.
    types
        The type of each cell, shape (cells,), or "" if it is not in `TYPES`.
    inputs
        The inputs of the fingerprint, measured on the whole recording.
    stretches
        For each of `STRETCHES` equal stretches of the recording: the inputs, and which cells have enough spikes.
    """

    animal: str
    session: str
    population: Population
    types: np.ndarray
    inputs: Mapping[str, np.ndarray]
    stretches: list[tuple[Mapping[str, np.ndarray], np.ndarray]]

    @property
    def kinds(self) -> np.ndarray:
        """Whether each cell is excitatory or inhibitory, shape (cells,), or "" if this is unknown."""
        said = self.population.labels["cell_type"].tolist()
        pairs = zip(self.types.tolist(), map(str, said), strict=True)
        inhibitory = re.compile("VGAT|IN$|interneuron", re.IGNORECASE)
        return np.array(
            [
                "excitatory" if name == "pyramidal" else "inhibitory" if name or inhibitory.search(text) else ""
                for name, text in pairs
            ],
            "U16",
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Identified cells.

    Parameters
    ----------
    inputs
        The inputs of the fingerprint, with one row for each cell.
    labels
        The labels "cell_type" and "excitatory_inhibitory" by name, shape (cells,), or "" if unknown.
    animals
        The animal of each cell, shape (cells,).
    trains
        Cells with spike trains. Most of these cells are in the table as well.
    """

    inputs: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    animals: np.ndarray
    trains: Sequence[Recorded]


def read_recording(path: Path) -> Recorded:
    """Read the identified cells of a recording with their spike trains, and measure the inputs."""
    import h5py

    with h5py.File(path) as file:
        waveforms = file["units"].get("waveform_mean")
        samples = 0 if waveforms is None else waveforms.shape[1]
    rate_hz = (ALLEN_HZ if "Allen" in path.name else 1e3 * samples / LENGTH_MS) if samples else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)
        population = read(path) if rate_hz is None else read(path, rate_hz=rate_hz)
    animal, session = (
        population.subject_id.replace("AllenInstitute-", "AllenInstitute_"),
        path.stem.rpartition("ses-")[2],
    )
    said = map(str, population.labels["cell_type"].tolist())
    return measure_recording(
        population,
        f"hc-1 {session[:4]}" if animal.startswith("hc") else animal,
        session,
        np.array([next((ours for word, ours in SPELLED.items() if word in text), "") for text in said], "U16"),
    )


def measure_recording(population: Population, animal: str, session: str, types: np.ndarray) -> Recorded:
    """Measure the inputs of the cells in the whole recording and in its stretches."""
    parts = [population.restrict(stretch_s) for stretch_s in divided(population.observed_s, STRETCHES)]
    return Recorded(
        animal=animal,
        session=session,
        population=population,
        types=types,
        inputs=measure_population(population),
        stretches=[(measure_population(part), can_embed(part)) for part in parts],
    )


def can_embed(population: Population) -> np.ndarray:
    """Tell which cells of a recording have enough data for the fingerprint, shape (cells,)."""
    long_enough = population.duration_s >= PLUGIN.spec.min_observed_s
    return (population.spikes.counts() >= FEWEST_SPIKES) & long_enough


def read_table(folder: Path) -> Table:
    """Read the table of identified cells and the recordings."""
    cells = np.load(folder / "identified_cells" / "cellexplorer.npz")
    types, animals = cells["cell_type"].astype("U16"), cells["animal"].astype("U40")
    kinds = np.array([KINDS.get(name, "") for name in types.tolist()], "U16")
    trains = [read_recording(path) for path in sorted(folder.glob("cellexplorer*/*.nwb"))]
    rows, patched = (
        np.flatnonzero(types == "Juxt"),
        {each.session: (each.animal, bool(each.types[0])) for each in trains if each.animal.startswith("hc-1")},
    )
    if len(rows) == len(patched):  # both in the order of the sessions
        for row, session in zip(rows.tolist(), sorted(patched), strict=True):
            animals[row], pyramidal = patched[session]
            types[row] = "Pyra" if pyramidal else "interneuron"
            kinds[row] = "excitatory" if pyramidal else "inhibitory"
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
    return Table(inputs=inputs, labels={SHIPS: named, TRIED: kinds}, animals=animals, trains=trains)


def find_projects(animals: np.ndarray) -> np.ndarray:
    """Find the project of each animal, which is the first part of the name of the animal."""
    return np.array([re.split(r"[\d_ ]", name)[0] for name in animals.tolist()])


def train_encoder(table: Table, left_out: str = "") -> Fingerprint:
    """Train a fingerprint on all cells, labelled or not, except the cells of one animal."""
    encoder = new_model("fingerprint", untrained=True).encoder
    kept = table.animals != left_out
    parts = [{name: values[kept] for name, values in table.inputs.items()}]
    for each in table.trains:
        if each.animal != left_out:
            parts.append(drop(each.inputs, set(each.inputs) - {"conditional"}))
    inputs = {name: np.concatenate([part[name] for part in parts]) for name in WIDTHS}
    encoder.train(inputs, TrainingOptions(steps=STEPS))
    return encoder


def drop(inputs: Mapping[str, np.ndarray], missing: Collection[str]) -> dict[str, np.ndarray]:
    """Replace some of the inputs by NaN."""
    return {name: np.nan * values if name in missing else values for name, values in inputs.items()}


def encode(encoder: Fingerprint, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Compute the vectors of the cells in single precision, once for each entry of `MISSING`."""
    return [encoder.encode(drop(inputs, missing)).astype(np.float32).astype(np.float64) for missing in MISSING]


def weigh(truth: np.ndarray, animals: np.ndarray) -> np.ndarray:
    """Compute weights of the cells that give all animals of a class the same total weight."""
    pairs = [f"{kind} {animal}" for kind, animal in zip(truth.tolist(), animals.tolist(), strict=True)]
    _, at, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return 1 / counts[at]


def fit_mean(
    encoder: Fingerprint, vectors: list[np.ndarray], truth: np.ndarray, animals: np.ndarray, classes: int
) -> Classifier:
    """Fit a linear head for each of `INPUTS` and `STRENGTHS`, and return their mean as one classifier."""
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


def score_left_out(table: Table, label: str) -> tuple[pd.DataFrame, list[str]]:
    """Score every labelled cell by an encoder and a head that were trained without its animal; also return the classes.

    Each row is a cell. The columns are the score of each class, the distance from cells of other animals, the index of
    the true class, the animal, the kind of data (a "histogram", "timing" for the histogram without the waveform, or a
    spike "train"), whether there is a waveform, and whether the most probable class is the same in all stretches.
    """
    labels = table.labels[label]
    classes, known = np.unique(labels[labels != ""]), labels != ""
    truth = np.searchsorted(classes, labels)
    parts = []
    for animal in np.unique(table.animals[known]).tolist():
        encoder = train_encoder(table, animal)
        vectors = encode(encoder, table.inputs)
        rows, own = known & (table.animals != animal), known & (table.animals == animal)
        head = fit_mean(encoder, [part[rows] for part in vectors], truth[rows], table.animals[rows], len(classes))
        both = np.concatenate([head.standardise(vectors[at][rows]) for at in (WHOLE, TIMING)])
        shape = fit_shape(both, np.tile(truth[rows], 2))

        def tabulate(vectors: np.ndarray, **columns: object) -> pd.DataFrame:
            return pd.DataFrame(head.score(vectors), columns=classes).assign(  # noqa: B023 - called in this round
                distance=measure_distance(head.standardise(vectors), *shape),  # noqa: B023
                waveform=vectors[:, encoder.columns["waveform"]].any(axis=1),  # noqa: B023
                animal=animal,  # noqa: B023
                **columns,
            )

        for at, kind in ((WHOLE, "histogram"), (TIMING, "timing")):
            parts.append(tabulate(vectors[at][own], truth=truth[own], kind=kind, agree=True))
        for each in table.trains:
            if each.animal == animal:
                named = each.types if label == SHIPS else each.kinds
                able = (named != "") & can_embed(each.population)
                found = encode(encoder, each.inputs)[WHOLE]
                agree = compare_stretches(each, encoder, head)
                scored = tabulate(found, truth=np.searchsorted(classes, named), kind="train", agree=agree)
                parts.append(scored[able])
    return pd.concat(parts, ignore_index=True), classes.tolist()


def compare_stretches(recorded: Recorded, encoder: Fingerprint, head: Classifier) -> np.ndarray:
    """Tell whether the most probable class of a cell is the same in all stretches of the recording, shape (cells,)."""
    best, *parts = (
        head.score(encode(encoder, inputs)[WHOLE]).argmax(axis=1)
        for inputs in (recorded.inputs, *(inputs for inputs, _ in recorded.stretches))
    )
    return np.all([~enough | (own == best) for own, (_, enough) in zip(parts, recorded.stretches, strict=True)], axis=0)


def calibrate(
    found: pd.DataFrame, classes: list[str], left_out: Collection[str] = ()
) -> tuple[Calibration, np.ndarray]:
    """Calibrate on the scores of held-out animals, and compute quantiles of the distances.

    Only cells with histograms are used, once with all inputs and once with the timing only.
    """
    both = found[(found["kind"] != "train") & ~found["animal"].isin(left_out)].sort_values("kind", kind="stable")
    scores, truth = both[classes].to_numpy(), both["truth"].to_numpy()
    animal = np.unique(both["animal"], return_inverse=True)[1]
    equal = np.full(len(classes), 1 / len(classes))
    sharpness, lapse = fit_temperature(scores, truth, animal, equal)
    calibration = Calibration(
        scores=scores,
        truth=truth,
        animal=animal,
        neighbours=None,
        prevalence=equal,
        sharpness=sharpness,
        lapse=lapse,
    )
    return calibration, find_quantiles(both["distance"].to_numpy(), animal)


def judge(found: pd.DataFrame, classes: list[str], cells: pd.DataFrame, group: str = "animal") -> pd.DataFrame:
    """Predict the type of each cell, with a calibration from which all animals of its group are held out.

    The columns state whether the prediction set contains the true type, the size of the set, whether the cell is
    labelled, and whether the most probable type is correct.
    """
    known = np.bincount(found.loc[found["kind"] == "timing", "truth"], minlength=len(classes))
    parts = []
    for _, some in cells.groupby(group):
        calibration, distances = calibrate(found, classes, some["animal"].unique())
        shares = calibration.compute_probabilities(some[classes].to_numpy())
        best, truth, rows = shares.argmax(axis=1), some["truth"].to_numpy(), np.arange(len(some))
        plausible = shares >= calibration.find_set_threshold(COVERAGE) - 1e-12
        labelled = (plausible.sum(axis=1) == 1) & (shares.max(axis=1) >= calibration.find_confidence())
        labelled &= (known[best] >= FEWEST_OF_CLASS) & (some["waveform"] & some["agree"]).to_numpy()
        labelled &= np.searchsorted(distances, some["distance"]) / len(distances) <= UNLIKE
        plausible[rows, best] = True
        parts.append(
            some.assign(
                best=some[classes].to_numpy().argmax(axis=1),
                inside=plausible[rows, truth],
                size=plausible.sum(axis=1),
                labelled=labelled,
                right=best == truth,
            )
        )
    return pd.concat(parts)


def summarise(judged: pd.DataFrame) -> dict[str, float]:
    """Compute the scores of the predictions."""
    named, wrong = judged["labelled"], ~judged["right"]
    found = {
        "cells": len(judged),
        "balanced_accuracy": float(balanced_accuracy_score(judged["truth"], judged["best"])),
        "macro_f1": float(f1_score(judged["truth"], judged["best"], average="macro")),
        "coverage_of_sets": float(judged["inside"].mean()),
        "coverage_of_sets_by_animal": float(judged.groupby("animal")["inside"].mean().mean()),
        "mean_size_of_sets": float(judged["size"].mean()),
        "share_predicted": float(named.mean()),
        "predicted": int(named.sum()),
        "wrong_among_predicted": int(wrong[named].sum()),
        "share_wrong_among_predicted": float(wrong[named].mean()),
        "share_wrong_at_most": bound_errors(judged),
        "share_wrong_if_all_were_predicted": float(wrong.mean()),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def bound_errors(judged: pd.DataFrame, draws: int = 10_000) -> float:
    """Compute the 95th percentile of the share of wrong labels, over bootstrap samples of the animals."""
    by_animal = judged.assign(wrong=judged["labelled"] & ~judged["right"]).groupby("animal")[["labelled", "wrong"]]
    named, wrong = by_animal.sum().to_numpy().T
    drawn = np.random.default_rng(0).integers(len(named), size=(draws, len(named)))
    total = named[drawn].sum(axis=1)
    shares = wrong[drawn].sum(axis=1)[total > 0] / total[total > 0]
    return float(np.quantile(shares, 0.95)) if len(shares) else np.nan


def score_projects(table: Table, label: str, found: pd.DataFrame) -> dict[str, float]:
    """Compute the scores of predictions for which the whole project of a cell was held out.

    Parameters
    ----------
    table, label
        The cells, and the name of the label.
    found
        Scores of held-out animals. Those of the other projects are used for the calibration.
    """
    projects, labelled = find_projects(table.animals), table.labels[label] != ""
    held_out, classes = score_left_out(replace(table, animals=projects, trains=()), label)
    # score_left_out returns the cells sorted by project: put the animals into the same order
    order = np.concatenate([np.flatnonzero(labelled & (projects == name)) for name in np.unique(projects[labelled])])
    cells = held_out[held_out["kind"] == "histogram"].assign(project=projects[order], animal=table.animals[order])
    judged = judge(found, classes, cells, "project")
    summary = summarise(judged)
    recalls = recall_score(judged["truth"], judged["best"], average=None)
    kept = ("balanced_accuracy", "coverage_of_sets", "share_predicted", "share_wrong_among_predicted")
    return {
        **{name: summary.get(name, 0.0) for name in kept},
        **{f"recall_of_{name}": float(each) for name, each in zip(classes, recalls, strict=True)},
    }


def warn_of_projects(found: Mapping[str, float]) -> str:
    """Write the warning about recordings of other laboratories."""
    return (
        "The SST, VIP and axo-axonic cells in the training data come from one project each, so that types and "
        "laboratories cannot be told apart. When a whole project was held out, the head labelled "
        f"{found['share_predicted']:.0%} of its cells, and {found['share_wrong_among_predicted']:.0%} of these labels "
        "were wrong. The head would do badly on the other cells: if it labelled all of them, its balanced accuracy "
        f"would be {found['balanced_accuracy']:.2f}. Its {COVERAGE:.0%} prediction sets contained the true type of "
        f"only {found['coverage_of_sets']:.0%} of the cells."
    )


def fit_head(model: Model, table: Table, label: str) -> LabelHead:
    """Fit the included head to all cells, and calibrate and score it on held-out animals."""
    found, names = score_left_out(table, label)
    elsewhere = score_projects(table, label, found)
    labels, known = table.labels[label], table.labels[label] != ""
    classes, truth = np.unique(labels[known], return_inverse=True)
    animals = table.animals[known]
    vectors = [part[known] for part in encode(model.encoder, table.inputs)]
    classifier = fit_mean(model.encoder, vectors, truth, animals, len(classes))
    both = np.concatenate([classifier.standardise(vectors[at]) for at in (WHOLE, TIMING)])
    means, precision = fit_shape(both, np.tile(truth, 2))
    calibration, distances = calibrate(found, names)
    kinds = {
        "on held-out animals, as histograms with waveform": found["kind"] == "histogram",
        "on held-out animals, as histograms by spike times alone": found["kind"] == "timing",
        "on held-out animals, as spike trains with waveform": (found["kind"] == "train") & found["waveform"],
    }
    judged = {name: judge(found, names, found[own]) for name, own in kinds.items() if own.any()}
    whole, summaries = next(iter(judged.values())), {name: summarise(own) for name, own in judged.items()}
    recalls = recall_score(whole["truth"], whole["best"], average=None)
    report = {
        "units": int(known.sum()),
        "animals": len(np.unique(animals)),
        "units_of_class": dict(zip(classes.tolist(), np.bincount(truth).tolist(), strict=True)),
        "animals_of_class": {name: len(np.unique(animals[truth == at])) for at, name in enumerate(classes.tolist())},
        **{name: next(iter(summaries.values()))[name] for name in ("balanced_accuracy", "macro_f1")},
        "recall_of_class": dict(zip(classes.tolist(), recalls.tolist(), strict=True)),
        **summaries,
        "on held-out projects, as histograms with waveform": elsewhere,
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
        novelty=Novelty(means=means, precision=precision, distances=distances),
        encoder=model.identity,
        details=round_numbers(report),
        caveats=(SHARES, warn_of_projects(elsewhere), STIMULATION),
        priors=PRIORS if label == SHIPS else {},
        parts=PARTS,
        required=RequiredPart(dims=tuple(dims), reason=NEEDS_WAVEFORM, of="waveforms_uv"),
        rare=tuple(classes[np.bincount(truth) < FEWEST_OF_CLASS].tolist()),
        stretches=STRETCHES,
    )


def round_numbers(value: Json) -> Json:
    """Round all numbers to three decimals, also in nested dictionaries."""
    if isinstance(value, Mapping):
        return {name: round_numbers(each) for name, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    """Train the encoder, fit the head, print the scores and save the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that contains identified_cells/")
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

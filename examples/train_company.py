"""Train models of the encoder `company`, and score them on held-out simulated animals.

    python examples/train_company.py spikes-transfer MODEL_FOLDER --recordings FOLDER
    python examples/train_company.py imaging-dff MODEL_FOLDER --recordings FOLDER

These commands make the included models `company-spikes` and `company-calcium`. You can give any preset of the encoder.

The script trains on simulated animals, and on the sessions in `RECORDINGS` that are in FOLDER. Without FOLDER, it
trains on simulated animals only. It uses no labels for training.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nwb_neurid import new_model, read, registry
from nwb_neurid._system.text import counted
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.model.fitting import fit
from nwb_neurid.simulate import simulate
from nwb_neurid.simulate.fluorescence import FRAME_HZ

UNITS, SECONDS, REGIONS = 120, 300.0, 3
SEEDS, ANIMALS = (1, 2, 3, 4), 3
PROBE, SCORED = range(7), range(7, 10)  # animals of seed 0
FRAMES_HZ = (1.7, 5.0, 10.0, 30.0)
PAIRS = 3
RECORDINGS = {
    "spikes": ("steinmetz/sub-Cori_*.nwb", "steinmetz/sub-Forssmann_*.nwb", "cellexplorer/*.nwb"),
    "imaging": ("ophys/allen_552195520_excerpt.nwb", "worms/*.nwb"),
    "imaging-dff": ("ophys/allen_552195520_excerpt.nwb",),
}
"""By preset, or by kind of activity."""

LEFT_OUT = "2022-08-02-31"
"""A worm that is not used for training, so that the model can be tested on it."""

IN_WORDS = {
    "spikes": "Neuropixels recordings of the mice Cori and Forssmann by Steinmetz et al. (2019); identified cells of "
    "mice and rats of the CellExplorer ground truth",
    "imaging": "an excerpt of a two-photon recording of a mouse of the Allen Brain Observatory; whole-head recordings "
    "of C. elegans of two laboratories",
    "imaging-dff": "an excerpt of a two-photon recording of a mouse of the Allen Brain Observatory",
}
LONGEST_S = 600.0


def make_animal(kind, seed, animal, *, out_of_domain=False, rate_hz=None):
    """Simulate an animal with spikes or fluorescence. Without `rate_hz`, the frame rate depends on the animal."""
    made = simulate(UNITS, SECONDS, seed, regions=REGIONS, animal=animal, out_of_domain=out_of_domain)
    return made.population() if kind == "spikes" else made.imaged_population(rate_hz or FRAMES_HZ[(seed + animal) % 4])


def make_animals(kind, rate_hz=None):
    """Simulate the animals for training. The last animal of each seed is out of the domain."""
    return [
        make_animal(kind, seed, animal, out_of_domain=animal == ANIMALS - 1, rate_hz=rate_hz)
        for seed in SEEDS
        for animal in range(ANIMALS)
    ]


def read_recordings(kind, folder):
    """Read the start of each recording in a folder. Recordings of a single unit are left out."""
    found = []
    paths = sorted(path for pattern in RECORDINGS[kind] for path in folder.glob(pattern) if LEFT_OUT not in path.name)
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuridWarning)  # the file does not state the observed time
            whole = read(path)
        begin_s = whole.observed_s[0, 0]
        population = whole.slice(begin_s, begin_s + LONGEST_S) if "cellexplorer" in str(path) else whole
        if len(population) > 1:
            found.append(population)
    return found


def score(model, kind):
    """Compute the macro F1 of a linear probe for types and regions on the held-out animals."""
    populations = [make_animal(kind, 0, animal, rate_hz=FRAME_HZ) for animal in [*PROBE, *SCORED]]
    vectors = [model.embed(population).vectors for population in populations]
    found = {}
    for label in ("cell_type", "brain_region"):
        known = [np.isfinite(rows).all(axis=1) for rows in vectors]
        x = [rows[there] for rows, there in zip(vectors, known, strict=True)]
        y = [population.labels[label][there] for population, there in zip(populations, known, strict=True)]
        probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        probe.fit(np.concatenate(x[: len(PROBE)]), np.concatenate(y[: len(PROBE)]))
        truth, predicted = np.concatenate(y[len(PROBE) :]), probe.predict(np.concatenate(x[len(PROBE) :]))
        found[label] = round(float(f1_score(truth, predicted, average="macro")), 3)
        shuffled = np.random.default_rng(0).permutation(truth)
        found[f"{label} at chance"] = round(float(f1_score(truth, shuffled, average="macro")), 3)
    return found


def main() -> None:
    """Train a model, score it and save it."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("preset", choices=list(registry.encoders().load("company").presets))
    asked.add_argument("output", type=Path)
    asked.add_argument("--recordings", type=Path)
    options = asked.parse_args()
    kind = "imaging" if options.preset.startswith("imaging") else "spikes"
    source = options.preset if options.preset in RECORDINGS else kind
    animals = make_animals(kind)
    real = [] if options.recordings is None else read_recordings(source, options.recordings)
    print(f"{len(animals)} simulated animals, {len(real)} recordings", flush=True)
    untrained = new_model("company", preset=options.preset, untrained=True)
    wanted = TrainingOptions(steps=PAIRS * (len(animals) + len(real)), windows=PAIRS)
    trained, log = fit(untrained, [*animals, *real], wanted)
    recorded = f" and {counted(len(real), 'recording')}: {IN_WORDS[source]}" if real else ""
    data = f"{len(animals)} SIMULATED animals of {UNITS} Izhikevich neurons{recorded}"
    scores = {"trained": score(trained, kind), "untrained": score(untrained, kind)}
    about = {**trained.details, "data": data, "macro F1 on held-out simulated animals": scores}
    replace(trained, training=f"{trained.training}. The data: {data}", details=about).save(
        options.output, overwrite=True
    )
    print(f"loss {log.loss[0]:.3f} to {log.loss[-1]:.3f}, {log.seconds:.0f} s")
    print(scores)


if __name__ == "__main__":
    main()

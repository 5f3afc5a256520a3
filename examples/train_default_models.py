"""Train the models `default-spikes` and `default-calcium`, and score them on held-out animals.

    python examples/train_default_models.py spikes nwb_neurid/model/weights/default-spikes --recordings FOLDER
    python examples/train_default_models.py dff nwb_neurid/model/weights/default-calcium --recordings FOLDER

The script trains on simulated animals, and on the sessions in `RECORDINGS` that are in FOLDER. Without FOLDER, it
trains on simulated animals only. Sessions with few units are left out, because they last for hours and contain hardly
any other units with which a unit can be compared. No labels are used for training.

The scores are the macro F1 of a linear probe. The probe is fitted to simulated animals of a seed that is not used for
training, and scored on further animals of this seed. If FOLDER contains sessions of the mouse Hench, a second probe is
fitted to the regions of the other mice, and scored once on Hench.
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

from train_company import FRAME_HZ, UNITS, make_animals, score

from nwb_neurid import evaluate, new_model, read
from nwb_neurid._system.text import counted
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.model.fitting import fit

RECORDINGS = {
    "spikes": ("steinmetz/sub-Cori_*.nwb", "steinmetz/sub-Forssmann_*.nwb"),
    "dff": ("ophys/allen_552195520_excerpt.nwb",),
}
IN_WORDS = {
    "spikes": "Neuropixels recordings of the mice Cori and Forssmann by Steinmetz et al. (2019)",
    "dff": "an excerpt of a two-photon recording of the Allen Brain Observatory",
}
LEFT_OUT = ("steinmetz/sub-Hench_*.nwb", "Hench")
REGIONS_OF = {
    "MB": "MRN SCm SCs APN PAG",
    "VIS": "VISp VISrl VISam VISpm VISl VISa",
    "TH": "LP LD RT MD MG LGd VPM VPL PO POL",
    "HPF": "POST SUB DG CA1 CA3",
}
"""Groups of regions as defined by the authors of NuCLR. Units in other regions are not scored."""
LONGEST_S = 600.0
"""Maximum duration that is used of a recording. Otherwise, most of the training data would come from long ones."""


def recorded(kind, folder):
    """Read the start of each recording in a folder."""
    found = []
    for path in sorted(path for pattern in RECORDINGS[kind] for path in folder.glob(pattern)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuridWarning)  # the file does not state the observed time
            begin = read(path, covariates=True).observed_s[0, 0]
            population = read(path, covariates=True, start_s=begin, stop_s=begin + LONGEST_S)
        if len(population) > 1:
            found.append(population)
    return found


def recorded_scores(model, kind, folder):
    """Compute the macro F1 for groups of regions in the held-out mouse. None if it has no recording in the folder."""
    pattern, mouse = LEFT_OUT
    if kind != "spikes" or folder is None or not any(folder.glob(pattern)):
        return None
    paths = sorted(path for each in (*RECORDINGS[kind], pattern) for path in folder.glob(each))
    groups = {area: group for group, areas in REGIONS_OF.items() for area in areas.split()} | {"*": ""}
    found = evaluate(
        model, paths, label="brain_region", protocol="inductive-zero-shot", test_subjects=[mouse], map=groups
    )
    beside = {name: round(own["macro_f1"], 3) for name, own in found.scores["baselines"].items()}
    return {"trained": round(found.scores["macro_f1"], 3), **beside}


def arguments():
    """Parse the command line."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("kind", choices=list(RECORDINGS))
    asked.add_argument("output", type=Path)
    asked.add_argument("--recordings", type=Path)
    asked.add_argument("--encoder", default="neurpir")
    asked.add_argument("--preset", default="small")
    asked.add_argument("--steps", type=int, default=400)
    asked.add_argument("--windows", type=int)
    return asked.parse_args()


def main() -> None:
    """Train a model, score it and save it."""
    options = arguments()
    kind = options.kind
    preset = options.preset if kind == "spikes" else f"{options.preset}-calcium"
    untrained = new_model(options.encoder, preset=preset, untrained=True)
    animals = make_animals(kind, FRAME_HZ)
    real = [] if options.recordings is None else recorded(kind, options.recordings)
    print(f"{len(animals)} simulated animals, {counted(len(real), 'recording')}", flush=True)
    wanted = TrainingOptions(steps=options.steps, windows=options.windows)
    trained, log = fit(untrained, [*animals, *real], wanted)
    data = (
        f"{len(animals)} SIMULATED animals of {UNITS} Izhikevich neurons, "
        f"and {counted(len(real), 'recording')}: {IN_WORDS[kind]}"
    )
    described = {"trained": score(trained, kind), "untrained": score(untrained, kind)}
    if kind == "spikes":
        described["isi"] = score(new_model("isi"), kind)
    left_out = recorded_scores(trained, kind, options.recordings)
    in_words = f"{trained.training}. The data: {data}" if real else f"{trained.training}. The data: simulations alone"
    about = {**trained.details, "data": data, "macro F1 on held-out simulated animals": described}
    if left_out is not None:
        about["macro F1 for four groups of regions on the held-out mouse"] = left_out
    replace(trained, training=in_words, details=about).save(options.output, overwrite=True)
    print(f"loss {log.loss[:20].mean():.2f} to {log.loss[-20:].mean():.2f}, {log.seconds:.0f} s")
    for name, found in described.items():
        print(f"{name:10}", found)
    if left_out is not None:
        print(f"regions of {LEFT_OUT[1]}", left_out)


if __name__ == "__main__":
    main()

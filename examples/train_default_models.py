"""Train the models that ship, and score them on animals that took part in nothing.

    python examples/train_default_models.py spikes nwb_neurid/model/weights/default-spikes --recordings FOLDER
    python examples/train_default_models.py dff nwb_neurid/model/weights/default-calcium --recordings FOLDER

The recordings are those of the sessions in `RECORDINGS`, where they lie under FOLDER; without it, simulations alone are
trained on. Sessions of a few units are left out: there is hardly another unit to be told from, and they last for hours.
No label is used for training. Scores are macro F1 of a linear probe that was fitted to simulated animals of
another seed than those trained on, on further ones; the probe and the encoder saw nothing of these. Where sessions of
the mouse Hench lie under FOLDER too, a probe that was fitted to the regions of the other mice is scored on them once.
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
    "spikes": "Neuropixels recordings of Steinmetz et al. (2019), mice Cori and Forssmann",
    "dff": "an excerpt of a two-photon recording of the Allen Brain Observatory",
}
LEFT_OUT = ("steinmetz/sub-Hench_*.nwb", "Hench")
REGIONS_OF = {
    "MB": "MRN SCm SCs APN PAG",
    "VIS": "VISp VISrl VISam VISpm VISl VISa",
    "TH": "LP LD RT MD MG LGd VPM VPL PO POL",
    "HPF": "POST SUB DG CA1 CA3",
}
"""Groups of regions of the NuCLR authors; units elsewhere are not scored."""
LONGEST_S = 600.0
"""Of a recording this much is taken, or long ones would be nearly all that is seen."""


def recorded(kind, folder):
    """The recordings that lie in a folder, from their beginning."""
    found = []
    for path in sorted(path for pattern in RECORDINGS[kind] for path in folder.glob(pattern)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuridWarning)  # that no observed time is stated
            begin = read(path, covariates=True).observed_s[0, 0]
            population = read(path, covariates=True, start_s=begin, stop_s=begin + LONGEST_S)
        if len(population) > 1:
            found.append(population)
    return found


def recorded_scores(model, kind, folder):
    """Macro F1 for groups of regions in a mouse that took part in nothing; None where there is no such recording."""
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
    """Of the command line."""
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
    """Train, score, write."""
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
    about = {**trained.details, "data": data, "macro F1 on simulated animals left out": described}
    if left_out is not None:
        about["macro F1 for four groups of regions on the mouse left out"] = left_out
    replace(trained, training=in_words, details=about).save(options.output, overwrite=True)
    print(f"loss {log.loss[:20].mean():.2f} to {log.loss[-20:].mean():.2f}, {log.seconds:.0f} s")
    for name, found in described.items():
        print(f"{name:10}", found)
    if left_out is not None:
        print(f"regions of {LEFT_OUT[1]}", left_out)


if __name__ == "__main__":
    main()

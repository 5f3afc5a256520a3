"""Cell types of recorded spike trains by heads that have not seen the animal, and what half a recording changes.

    python examples/score_cell_types.py FOLDER

FOLDER holds `identified_cells/` and the recordings `cellexplorer*/`, as for `fit_cell_types.py`. The encoder and the
head are fitted anew without each animal. Laser epochs are not marked in the recordings: if they mattered, a half of
the recording with more of them would give another type than the other half.
"""

import argparse
import warnings
from pathlib import Path

import fit_cell_types as fitting
import numpy as np
from sklearn.metrics import balanced_accuracy_score

from nwb_neurid import read
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.labels.novelty import fit_shape, measure_distance
from nwb_neurid.population import Population

LENGTH_MS = 1.6
"""How long waveforms are whose rate the recording lacks, but those of the Allen Institute."""

ALLEN_HZ = 30000.0
TYPES = {"PV": "PV", "SST": "SST", "VIP": "VIP", "Axo": "AAC", "AAC": "AAC", "pyr": "pyramidal", "Pyr": "pyramidal"}


def read_recording(path: Path) -> tuple[Population, str, list[str]]:
    """A recording with its waveforms, its animal, and the type of each unit, "" where it is none of those predicted."""
    import h5py

    with h5py.File(path) as file:
        waveforms = file["units"].get("waveform_mean")
        samples = 0 if waveforms is None else waveforms.shape[1]
    rate_hz = (ALLEN_HZ if "Allen" in path.name else 1e3 * samples / LENGTH_MS) if samples else None
    population = read(path) if rate_hz is None else read(path, rate_hz=rate_hz)
    animal = population.subject_id.replace("AllenInstitute-", "AllenInstitute_")
    if animal.startswith("hc"):
        animal = f"hc-1 {path.stem.rpartition('ses-')[2][:4]}"
    said = map(str, population.labels["cell_type"].tolist())
    return population, animal, [next((ours for word, ours in TYPES.items() if word in text), "") for text in said]


def main() -> None:
    """Read, fit without each animal, predict, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where identified_cells/ and cellexplorer*/ lie")
    folder = parser.parse_args().folder
    table = fitting.read_table(folder)
    labels = table.labels[fitting.SHIPS]
    known = labels != ""
    classes, truth = np.unique(labels[known], return_inverse=True)
    scores, distances = (part[:, known] for part in fitting.score_left_out(table, labels))
    animals = table.animals[known]
    cells: list[tuple[str, str, str, bool, bool, bool]] = []
    cosines, agree = [], []
    for path in sorted(folder.glob("cellexplorer*/*.nwb")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuridWarning)
            population, animal, types = read_recording(path)
        encoder = fitting.train_encoder(table, animal)
        rows = animals != animal
        vectors = [part[known][rows] for part in fitting.encode(encoder, table.inputs)]
        head = fitting.fit_mean(encoder, vectors, truth[rows], animals[rows], len(classes))
        calibration = fitting.calibrate(scores[:, rows], truth[rows], animals[rows])
        observed_s = population.observed_s
        middle_s = (observed_s[0, 0] + observed_s[-1, 1]) / 2
        parts = [population, population.slice(-np.inf, middle_s), population.slice(middle_s, np.inf)]
        embedded = [encoder.embed(part) for part in parts]
        shares = calibration.compute_probabilities(head.score(embedded[0].vectors))
        halves = [head.score(each.vectors) for each in embedded[1:]]
        waveform = embedded[0].vectors[:, encoder.columns["waveform"]].any(axis=1)
        sure = (shares >= calibration.find_set_threshold(fitting.COVERAGE) - 1e-12).sum(axis=1) == 1
        sure &= shares.max(axis=1) >= calibration.find_confidence()
        whole = vectors[fitting.WHOLE]
        shape = fit_shape(head.standardise(whole), truth[rows])
        far = measure_distance(head.standardise(np.nan_to_num(embedded[0].vectors)), *shape)
        sure &= far <= np.quantile(distances[fitting.WHOLE, rows], 0.99)
        for unit, kind in enumerate(types):
            if embedded[0].reasons[unit]:
                continue
            own = str(classes[shares[unit].argmax()])
            cells.append((animal, kind, own, bool(waveform[unit]), bool(sure[unit] and waveform[unit]), own == kind))
            if all(each.reasons[unit] == "" for each in embedded[1:]):
                first, second = (each.vectors[unit] for each in embedded[1:])
                cosines.append(float(first @ second / np.linalg.norm(first) / np.linalg.norm(second)))
                agree.append(halves[0][unit].argmax() == halves[1][unit].argmax())
    named = [cell for cell in cells if cell[1]]
    for which, some in (("all", named), ("with waveform", [cell for cell in named if cell[3]])):
        if not some:
            continue
        right = balanced_accuracy_score([cell[1] for cell in some], [cell[2] for cell in some])
        sure_ones = [cell for cell in some if cell[4]]
        wrong = sum(not cell[5] for cell in sure_ones)
        print(
            f"{which}: {len(some)} units of {len({cell[0] for cell in some})} animals, balanced accuracy {right:.3f}; "
            f"{len(sure_ones)} predicted, {wrong} of them wrongly"
        )
        for kind in sorted({cell[1] for cell in some}):
            own = [cell for cell in some if cell[1] == kind]
            print(f"  {kind}: {sum(cell[5] for cell in own)} of {len(own)}")
    print(
        f"first and second half of a recording: {len(cosines)} units, median cosine {np.median(cosines):.3f}, the same "
        f"most probable type for {np.mean(agree):.0%}"
    )


if __name__ == "__main__":
    main()

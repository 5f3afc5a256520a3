"""Predict cell types of recorded spike trains on held-out animals, with and without laser epochs.

    python examples/score_cell_types.py FOLDER

FOLDER holds `identified_cells/` and the recordings `cellexplorer*/`, as for `fit_cell_types.py`. For each animal, the
encoder and the head are fitted again without this animal.

The recordings do not state when the laser was on. CellExplorer left out this time when it computed the histograms of
axo-axonic cells. The script finds this time: without it, the autocorrelograms of all cells of the session are most
similar to their histograms. The histograms of the other cells cover the whole recording, so nothing is left out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fit_cell_types as fitting
import numpy as np
import pandas as pd

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.intervals import Intervals, divided, subtracted
from nwb_neurid.population import Population

BINS = 24
"""To find laser epochs, a recording is divided into this number of equal stretches."""

EDGES_S = (np.arange(1, 102) - 0.5) * 5e-4
"""Bin edges of CellExplorer's narrow autocorrelogram, from 0.25 ms on."""

LEAST_GAIN = 0.5
"""A stretch is left out only if this at least halves 1 - correlation of autocorrelograms and histograms."""


def correlate(counts: np.ndarray, histograms: np.ndarray) -> float:
    """Compute the mean correlation of autocorrelograms with histograms, both of shape (cells, lags)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(counts, histograms, strict=True)]))


def find_left_out(population: Population, histograms: np.ndarray) -> Intervals:
    """Find the stretch that CellExplorer left out of a recording.

    Parameters
    ----------
    population
        The cells.
    histograms
        Their narrow autocorrelograms, shape (cells, 201).

    Returns
    -------
    array
        One interval in seconds, shape (1, 2), or none, shape (0, 2).
    """
    stretches = divided(population.observed_s, BINS)
    counts = np.array(
        [
            [
                count_pairs(part.spikes.train_s(unit), part.runs_s(unit), EDGES_S)
                for part in map(population.restrict, stretches)
            ]
            for unit in range(len(population))
        ],
        np.float64,
    )
    wanted, total = histograms[:, 101:].astype(np.float64), counts.sum(axis=1)
    best, where = correlate(total, wanted), None
    least = 1 - (1 - best) * LEAST_GAIN
    for first in range(BINS):
        for last in range(first + 1, BINS + 1):
            left = total - counts[:, first:last].sum(axis=1)
            if last - first < BINS - 1 and left.any(axis=1).all() and (found := correlate(left, wanted)) > best:
                best, where = found, (stretches[first][0, 0], stretches[last - 1][-1, 1])
    return np.array([where]) if where is not None and best > least else np.empty((0, 2))


def leave_out(folder: Path, trains: Sequence[fitting.Recorded]) -> list[fitting.Recorded]:
    """Leave out laser epochs from the recordings of animals for which there is a histogram of each cell."""
    cells = np.load(folder / "identified_cells" / "cellexplorer.npz")
    animals, histograms = cells["animal"].astype("U40"), cells["acg_narrow"]
    found = []
    for animal in dict.fromkeys(each.animal for each in trains):
        own = sorted((each for each in trains if each.animal == animal), key=lambda each: each.session)
        rows = np.flatnonzero(animals == animal)
        if len(rows) != sum(len(each.types) for each in own):  # both in the order of the sessions
            found += own
            continue
        for each in own:
            mine, rows = rows[: len(each.types)], rows[len(each.types) :]
            epoch_s = find_left_out(each.population, histograms[mine])
            if len(epoch_s) == 0:
                found.append(each)
                continue
            print(f"{animal}, {each.session}: {epoch_s[0, 0]:.0f} to {epoch_s[0, 1]:.0f} s are left out")
            rest = each.population.restrict(subtracted(each.population.observed_s, epoch_s))
            found.append(fitting.measure_recording(rest, animal, each.session, each.types))
    return found


def report(name: str, found: pd.DataFrame, classes: list[str]) -> None:
    """Print the scores of the predictions on spike trains."""
    cells = found[(found["kind"] == "train") & found["waveform"]]
    for asked, kept in (("", cells), (" if stretches are not compared", cells.assign(agree=True))):
        judged = fitting.judge(found, classes, kept)
        worth = fitting.summarise(judged)
        print(f"{name}: {worth['predicted']} labelled, {worth['wrong_among_predicted']} wrongly{asked}")
    print(
        f"  {len(cells)} cells of {cells['animal'].nunique()} animals, balanced accuracy "
        f"{worth['balanced_accuracy']:.3f}, sets of {fitting.COVERAGE:.0%} hold "
        f"{worth['coverage_of_sets']:.0%} of the types ({worth['coverage_of_sets_by_animal']:.0%} by animal)"
    )
    for at, kind in enumerate(classes):
        own = judged.loc[judged["truth"] == at, "best"]
        print(f"  {kind}: {int((own == at).sum())} of {len(own)}")


def main() -> None:
    """Read the recordings, predict each animal by a head that was fitted without it, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that contains identified_cells/ and cellexplorer*/")
    folder = parser.parse_args().folder
    table = fitting.read_table(folder)
    report("as recorded", *fitting.score_left_out(table, fitting.SHIPS))
    cut = replace(table, trains=leave_out(folder, table.trains))
    report("without laser epochs", *fitting.score_left_out(cut, fitting.SHIPS))


if __name__ == "__main__":
    main()

"""Compute vectors and predicted types of the units of a SpikeInterface analyzer, and write them to an NWB file."""

import sys
from pathlib import Path

from spikeinterface import core

import nwb_neurid
from nwb_neurid.analyzer import write_neurid_results
from nwb_neurid.simulate import simulate

SCOPE = "simulated neurons: on a real recording, the predicted types mean nothing"


def toy_model(duration_s: float) -> nwb_neurid.Model:
    """Fit a model to simulated neurons. For your own data, use `nwb_neurid.load_model("your/model")` instead."""
    animals = [simulate(units=60, duration_s=duration_s, seed=0, animal=number).population() for number in range(4)]
    return nwb_neurid.fit_labels("isi", animals, label="cell_type", scope=SCOPE)


def main(folder: Path, duration_s: float = 60.0) -> None:
    """Write `analyzer.zarr` and `results.nwb` into a folder."""
    recording, sorting = core.generate_ground_truth_recording(
        durations=[duration_s], num_channels=16, num_units=12, seed=0
    )
    analyzer = core.create_sorting_analyzer(sorting, recording, format="zarr", folder=folder / "analyzer.zarr")

    analyzer.compute(["random_spikes", "templates", "unit_locations"])
    model = toy_model(duration_s)
    analyzer.compute("neurid_embeddings", model=model)
    predictions = analyzer.compute("neurid_predictions", model=model).get_data()
    print(predictions[["prediction", "probability", "abstained", "reason"]])

    path = write_neurid_results(analyzer, folder / "results.nwb", new=True)
    ((name, embeddings, _),) = nwb_neurid.read_results(path)
    print(f"{path.name}: {name}, {embeddings}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), *map(float, sys.argv[2:3]))

"""A population as an NWB file of its own."""

from dataclasses import replace

import numpy as np
import pynwb
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import CannotWrite, InvalidOption, InvalidResults
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.readers.nwb import PLUGIN
from nwb_neurid.results import Embeddings, Provenance
from nwb_neurid.writers.nwb.standalone import ROIS, UNITS, write_recording
from nwb_neurid.writers.nwb.store import read, write


@pytest.fixture
def spiking() -> Population:
    """Two units with names, the second of them observed for a part of the time; a gap from 4 to 5 s."""
    return Population(
        unit_ids=np.array(["b7", "a1"]),
        activity=Spikes.of([np.array([0.5, 1.5, 6.0]), np.array([5.5, 6.25])], resolution_s=1e-3),
        observed_s=np.array([[0.0, 4.0], [5.0, 8.0]]),
        unit_observed=np.array([[True, True], [False, True]]),
        group=np.array(["probe A", "probe B"]),
        labels={"cell_type": np.array(["PV", ""])},
        subject_id="M1",
        session_id="S1",
    )


def test_spikes_come_back(spiking, tmp_path):
    path = tmp_path / "out.nwb"
    assert write_recording(spiking, path) == UNITS
    assert not pynwb.validate(path=path)
    back = PLUGIN.read(path, ReadOptions())
    np.testing.assert_array_equal(back.activity.times_s, spiking.activity.times_s)
    np.testing.assert_array_equal(back.activity.splits, spiking.activity.splits)
    np.testing.assert_array_equal(back.runs_s(1), [[5.0, 8.0]])
    assert back.labels["cell_type"].tolist() == ["PV", ""]
    assert back.labels["name_in_source"].tolist() == ["b7", "a1"]
    assert (back.subject_id, back.session_id) == ("M1", "S1")


def test_traces_come_back(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    population = Population(
        unit_ids=np.array([4, 8, 9]),
        activity=Traces(values=values, rate_hz=10.0, start_s=2.0),
        observed_s=np.array([[2.0, 4.0], [5.0, 7.0]]),
        excluded={1: "not a cell"},
    )
    path = tmp_path / "out.nwb"
    assert write_recording(population, path) == ROIS
    assert not pynwb.validate(path=path)
    with pynwb.NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        series = nwbfile.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
        np.testing.assert_array_equal(series.data[:], values.T)
        assert (series.rate, series.starting_time) == (10.0, 2.0)
        rois = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert rois.id[:].tolist() == [4, 8, 9]
        assert list(rois["left_out"][:]) == ["", "not a cell", ""]
        gap = nwbfile.invalid_times
        np.testing.assert_allclose([gap["start_time"][0], gap["stop_time"][0]], [4.0, 5.0])


def inspect(path):
    """What nwbinspector says of a file, but for hints on what is not known."""
    from nwbinspector import Importance, inspect_nwbfile

    found = inspect_nwbfile(nwbfile_path=path)
    faults = {each.check_function_name for each in found if each.importance != Importance.BEST_PRACTICE_SUGGESTION}
    return faults - {"check_subject_species_exists"}


def test_places_and_verdicts_of_units_come_back(spiking, tmp_path):
    positions_um = np.array([[10, 40, 0], [np.nan] * 3], np.float32)
    labels = {"group": np.array(["good", "mua"]), **spiking.labels}
    path = tmp_path / "out.nwb"
    write_recording(replace(spiking, positions_um=positions_um, labels=labels), path)
    assert not pynwb.validate(path=path)
    assert inspect(path) == set()
    back = PLUGIN.read(path, ReadOptions())
    np.testing.assert_array_equal(back.positions_um, positions_um)
    assert back.group.tolist() == ["probe A", "probe B"]
    assert back.labels["group"].tolist() == ["good", "mua"]
    with pynwb.NWBHDF5IO(path, "r") as io:
        np.testing.assert_array_equal(io.read().units["depth"][:], [40, np.nan])


@pytest.mark.parametrize("kind", ["dff", "fluorescence", "deconvolved"])
def test_masks_and_what_was_done_to_traces_are_in_the_file(kind, tmp_path):
    masks_px = (
        np.array([[3, 4, 1], [5, 4, 3]], np.float32),
        np.empty((0, 3), np.float32),
        np.array([[9, 8, 0.5]], np.float32),
    )
    population = Population(
        unit_ids=np.arange(3),
        activity=Traces(values=np.random.default_rng(0).normal(size=(3, 50)).astype("f4"), rate_hz=10.0, kind=kind),
        observed_s=np.array([[0.0, 5.0]]),
        group=np.array(["plane0"] * 3),
        masks_px=masks_px,
        notes=("Made of noise.",),
    )
    path = tmp_path / "out.nwb"
    write_recording(population, path)
    assert not pynwb.validate(path=path)
    assert inspect(path) == set()
    with pynwb.NWBHDF5IO(path, "r") as io:
        module = io.read().processing["ophys"]
        rois = module["ImageSegmentation"]["PlaneSegmentation"]
        assert [[tuple(pixel) for pixel in rois["pixel_mask"][row]] for row in range(3)] == [
            [tuple(pixel) for pixel in mask.tolist()] for mask in masks_px
        ]
        np.testing.assert_array_equal(rois["centroid_px"][:], [[4.5, 4], [np.nan] * 2, [9, 8]])
        (container,) = (
            module[name] for name in ("DfOverF", "Fluorescence", "Deconvolved") if name in module.data_interfaces
        )
        assert container["RoiResponseSeries"].description.endswith(" of each ROI. Made of noise.")


def test_rois_without_masks_are_no_fault(tmp_path):
    population = Population(
        unit_ids=np.arange(2),
        activity=Traces(values=np.random.default_rng(0).normal(size=(2, 50)).astype("f4"), rate_hz=10.0),
        observed_s=np.array([[0.0, 5.0]]),
    )
    path = tmp_path / "out.nwb"
    write_recording(population, path)
    assert not pynwb.validate(path=path)
    assert inspect(path) == set()


def test_an_existing_file_is_not_touched(spiking, tmp_path):
    path = tmp_path / "out.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_recording(spiking, path)
    assert path.read_bytes() == b"mine"


def test_results_on_arrays_get_a_file_with_the_units(spiking, tmp_path):
    embeddings = Embeddings.of(spiking, np.array([[1.0, 2.0], [3.0, 4.0]]))
    embeddings = replace(embeddings, provenance=Provenance(encoder="isi"))
    path = write(tmp_path / "arrays.nwb", embeddings, population=spiking)
    (results,) = read(path)
    np.testing.assert_array_equal(results.embeddings.vectors, embeddings.vectors)
    assert PLUGIN.read(path, ReadOptions()).labels["name_in_source"].tolist() == ["b7", "a1"]
    before = path.read_bytes()
    with pytest.raises(CannotWrite, match="exists"):
        write(path, embeddings, population=spiking)
    assert path.read_bytes() == before


def test_a_new_file_takes_results_on_its_own_units_alone(spiking, tmp_path):
    embeddings = Embeddings.of(spiking, np.ones((2, 2)))
    with pytest.raises(InvalidOption, match="Leave out sidecar, units_columns"):
        write(tmp_path / "new.nwb", embeddings, population=spiking, sidecar=True, units_columns=True)
    with pytest.raises(InvalidResults, match="on 2 units, the population has 1"):
        write(tmp_path / "new.nwb", embeddings, population=spiking.select(np.array([0])))
    assert list(tmp_path.iterdir()) == []

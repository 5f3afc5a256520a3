"""The file of a simulation: a valid recording that says it is none, written whole or not at all."""

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.simulate.ecephys import PITCH_UM


@pytest.fixture(scope="module")
def simulation():
    return simulate(units=20, duration_s=5.0, seed=4)


@pytest.fixture(scope="module")
def path(simulation, tmp_path_factory):
    path = tmp_path_factory.mktemp("simulate") / "simulated.nwb"
    assert write_nwb(simulation, path) == path
    return path


@pytest.fixture
def nwbfile(path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as io:
        yield io.read()


def test_spike_times_come_back(nwbfile, simulation):
    assert len(nwbfile.units) == 20
    for unit in range(20):
        expected = simulation.times_s[simulation.splits[unit] : simulation.splits[unit + 1]]
        np.testing.assert_array_equal(nwbfile.units["spike_times"][unit], expected)
        np.testing.assert_array_equal(nwbfile.units["obs_intervals"][unit], [[0, 5]])
    assert nwbfile.units.resolution == 1 / 30_000


def test_cell_types_come_back(nwbfile, simulation):
    np.testing.assert_array_equal(nwbfile.units["cell_type"][:], simulation.cell_type)


def test_each_unit_has_the_site_nearest_to_it(nwbfile, simulation):
    sites_um = nwbfile.electrodes["rel_y"][:]
    for unit, along_um in enumerate(simulation.positions_um[:, 1]):
        site = nwbfile.units["electrodes"][unit]
        assert len(site) == 1
        assert abs(site["rel_y"].item() - along_um) == np.abs(sites_um - along_um).min() <= PITCH_UM / 2


def test_the_file_says_that_it_is_a_simulation(nwbfile):
    assert nwbfile.session_description == "A computer simulation, not a recording: 20 units, 5 s, seed 4."
    assert nwbfile.subject.subject_id == "simulated-4"
    assert "simulation" in nwbfile.keywords[:]


@pytest.fixture(scope="module", params=[None, 4.28], ids=["units", "ROIs"])
def path_of_regions(request, tmp_path_factory):
    simulation = simulate(units=15, duration_s=5.0, seed=4, regions=3, animal=2, out_of_domain=True)
    return write_nwb(simulation, tmp_path_factory.mktemp("regions") / "simulated.nwb", imaging_hz=request.param)


def test_the_file_of_regions_says_what_it_is(path_of_regions):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path_of_regions, "r") as io:
        nwbfile = io.read()
        imaged = ", imaged at 4.28 Hz" if nwbfile.units is None else ""
        assert nwbfile.session_description == (
            "A computer simulation, not a recording: 15 units, 5 s, seed 4, 3 regions, "
            f"animal 2 of those outside the domain{imaged}."
        )
        assert "outside the range of the other animals" in nwbfile.subject.description
        speed = nwbfile.processing["behavior"]["running_speed"]
        assert (speed.unit, speed.rate, len(speed.data)) == ("cm/s", 20.0, 100)


def test_an_animal_inside_the_domain_is_numbered(tmp_path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(write_nwb(simulate(5, 1.0, animal=2), tmp_path / "file.nwb"), "r") as io:
        nwbfile = io.read()
        assert nwbfile.session_description.endswith(": 5 units, 1 s, seed 0, animal 2.")
        assert nwbfile.subject.description == "No animal: a simulated network of neurons."
        assert "behavior" not in nwbfile.processing


def test_pynwb_finds_no_fault(path, path_of_regions):
    from pynwb import validate

    assert validate(path=path) == []
    assert validate(path=path_of_regions) == []


def test_nwbinspector_has_no_more_than_suggestions(path, path_of_regions):
    from nwbinspector import Importance, inspect_nwbfile

    for one in (path, path_of_regions):
        found = {message.importance: message.message for message in inspect_nwbfile(nwbfile_path=one)}
        assert found.keys() <= {Importance.BEST_PRACTICE_SUGGESTION}, found


def test_a_silent_population_can_be_written(tmp_path):
    silent = simulate(units=2, duration_s=0.001)
    assert len(silent.times_s) == 0
    with h5py.File(write_nwb(silent, tmp_path / "silent.nwb")) as file:
        assert file["units/spike_times_index"][:].tolist() == [0, 0]


def test_an_existing_file_is_kept_unless_asked(simulation, tmp_path):
    path = tmp_path / "mine.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path)
    assert str(refused.value) == f"{path} exists. Replace it (--overwrite), or name another file."
    assert path.read_bytes() == b"mine"
    write_nwb(simulation, path, overwrite=True)
    assert h5py.is_hdf5(path)


def test_a_missing_folder_is_named(simulation, tmp_path):
    path = tmp_path / "nowhere" / "simulated.nwb"
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path)
    assert str(refused.value) == f"{path} cannot be written: the folder {path.parent} does not exist."


def test_a_folder_is_no_file(simulation, tmp_path):
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, tmp_path, overwrite=True)
    assert str(refused.value) == f"{tmp_path} is a folder, a file was expected. Choose a file (--output)."


def test_a_failed_write_leaves_everything_as_it_was(simulation, tmp_path, monkeypatch):
    path = tmp_path / "mine.nwb"
    path.write_bytes(b"mine")

    def fill(part, image):
        with part.open("wb") as file:
            file.write(image[: len(image) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path, overwrite=True)
    assert str(refused.value) == f"{path} cannot be written: No space left on device."
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("mine.nwb", b"mine")]

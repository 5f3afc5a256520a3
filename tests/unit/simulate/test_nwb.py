"""The file of a simulation: a valid recording that says it is none, written whole or not at all."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.simulate.nwb import PITCH_UM


@pytest.fixture(scope="module")
def simulation():
    return simulate(units=20, duration_s=5.0, seed=4)


@pytest.fixture(scope="module")
def path(simulation, tmp_path_factory):
    path = tmp_path_factory.mktemp("simulate") / "simulated.nwb"
    assert write_nwb(simulation, path, seed=4) == path
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


def test_pynwb_finds_no_fault(path):
    from pynwb import validate

    assert validate(path=path) == []


def test_nwbinspector_has_no_more_than_suggestions(path):
    from nwbinspector import Importance, inspect_nwbfile

    found = {message.importance: message.message for message in inspect_nwbfile(nwbfile_path=path)}
    assert found.keys() <= {Importance.BEST_PRACTICE_SUGGESTION}, found


def test_a_silent_population_can_be_written(tmp_path):
    silent = simulate(units=2, duration_s=0.001)
    assert len(silent.times_s) == 0
    with h5py.File(write_nwb(silent, tmp_path / "silent.nwb", seed=0)) as file:
        assert file["units/spike_times_index"][:].tolist() == [0, 0]


def test_an_existing_file_is_kept_unless_asked(simulation, tmp_path):
    path = tmp_path / "mine.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path, seed=4)
    assert str(refused.value) == f"Cannot write {path}: it exists already. Pass --overwrite to replace it."
    assert path.read_bytes() == b"mine"
    write_nwb(simulation, path, seed=4, overwrite=True)
    assert h5py.is_hdf5(path)


def test_a_missing_folder_is_named(simulation, tmp_path):
    path = tmp_path / "nowhere" / "simulated.nwb"
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path, seed=4)
    assert str(refused.value) == f"Cannot write {path}: the folder {path.parent} does not exist. Make it first."


def test_a_folder_is_no_file(simulation, tmp_path):
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, tmp_path, seed=4, overwrite=True)
    assert str(refused.value) == f"Cannot write {tmp_path}: it is a folder. Name a file."


def test_a_failed_write_leaves_everything_as_it_was(simulation, tmp_path, monkeypatch):
    path = tmp_path / "mine.nwb"
    path.write_bytes(b"mine")

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr("pynwb.NWBHDF5IO.write", full)
    with pytest.raises(CannotWrite) as refused:
        write_nwb(simulation, path, seed=4, overwrite=True)
    assert str(refused.value) == f"Cannot write {path}: No space left on device"
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("mine.nwb", b"mine")]

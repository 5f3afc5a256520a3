"""Several planes: one population, whether from their folders or from the one in which suite2p combines them."""

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.suite2p import PLUGIN


def read(source, **options):
    return PLUGIN.read(source, ReadOptions(**options))


@pytest.fixture
def planes(suite2p, tmp_path):
    """Writes several planes, and if asked the folder in which suite2p combines them."""

    def make(frames, *, numbers=None, combined=False, **parts):
        each = [suite2p.plane_files(units=3 + row, frames=count, seed=row) for row, count in enumerate(frames)]
        numbers = numbers or list(range(len(each)))
        for number, files in zip(numbers, each, strict=True):
            suite2p.write(tmp_path / f"plane{number}", files)
        if combined:
            suite2p.write(tmp_path / "combined", {**suite2p.combined_files(each, numbers), **parts})
        return tmp_path

    return make


def test_planes_become_one_population_in_the_order_of_their_numbers(planes):
    root = planes([300, 300, 300], numbers=[10, 0, 2])
    population = read(root)
    assert population.unit_ids.tolist() == [
        *(f"plane0/{row}" for row in range(4)),
        *(f"plane2/{row}" for row in range(5)),
        *(f"plane10/{row}" for row in range(3)),
    ]
    assert population.group.tolist() == ["plane0"] * 4 + ["plane2"] * 5 + ["plane10"] * 3
    for name in ("plane0", "plane2", "plane10"):
        alone = read(root / name)
        np.testing.assert_array_equal(population.activity.values[population.group == name], alone.activity.values)


def test_a_frame_more_or_less_goes_without_a_word(planes):
    assert read(planes([301, 300])).activity.values.shape == (7, 300)


def test_more_frames_are_told(planes):
    root = planes([305, 300])
    with pytest.warns(NeuridWarning) as told:
        population = read(root)
    assert str(told[0].message) == (
        f"{root}: its planes have different numbers of frames (plane0 305, plane1 300); the first 300 of each are used."
    )
    assert population.observed_s.tolist() == [[0, 30]]


def test_a_plane_without_traces_is_left_out_and_told(planes):
    root = planes([300, 300])
    (root / "plane2").mkdir()
    with pytest.warns(NeuridWarning, match=r"plane2 has no F\.npy and is left out\.$"):
        assert len(read(root)) == 7


def test_a_plane_without_rois_adds_none(suite2p, planes):
    root = planes([300])
    suite2p.write(root / "plane1", suite2p.plane_files(units=0, frames=10))
    assert read(root).group.tolist() == ["plane0"] * 3


def test_red_cells_of_one_plane_leave_the_other_unlabelled(planes):
    root = planes([300, 300])
    np.save(root / "plane1" / "redcell.npy", np.ones((4, 2)))
    assert read(root).labels["redcell"].tolist() == [""] * 3 + ["red"] * 4


@pytest.mark.parametrize("activity", ["dff", "fluorescence", "deconvolved"])
def test_combined_planes_are_the_planes_without_padding(planes, activity):
    root = planes([300, 301, 300], combined=True)
    expected, population = read(root, activity=activity), read(root / "combined", activity=activity)
    assert population.unit_ids.tolist() == expected.unit_ids.tolist()
    assert population.group.tolist() == expected.group.tolist()
    np.testing.assert_array_equal(population.activity.values, expected.activity.values)


def test_combined_planes_count_where_no_plane_is_left(planes):
    root = planes([300, 301], combined=True)
    for name in ("F", "Fneu", "spks"):
        (root / "plane0" / f"{name}.npy").unlink()
        (root / "plane1" / f"{name}.npy").unlink()
    assert PLUGIN.recognises(root)
    assert read(root).unit_ids.tolist()[-1] == "plane1/3"


def test_long_padding_of_combined_planes_is_told(planes):
    root = planes([300, 310], combined=True)
    with pytest.warns(NeuridWarning, match=r"its planes have different numbers of frames \(plane0 300, plane1 310\)"):
        assert read(root / "combined").activity.values.shape == (7, 300)


@pytest.mark.parametrize(("missing", "activity"), [("stat", "dff"), ("F", "deconvolved")])
def test_padding_that_cannot_be_told_is_told(planes, missing, activity):
    root = planes([300, 301], combined=True, **{missing: None})
    with pytest.warns(NeuridWarning, match=rf"combined has no {missing}\.npy: its ROIs are read as one plane, and"):
        population = read(root / "combined", activity=activity)
    assert population.activity.values.shape == (7, 301)
    assert population.unit_ids.tolist() == list(range(7))


def test_corrections_in_the_combined_folder_are_told(planes):
    root = planes([300, 300], combined=True, iscell=np.repeat([[0.0, 0.2], [1.0, 0.7]], [6, 1], 0))
    with pytest.warns(
        NeuridWarning, match=r"combined.iscell\.npy differs from the iscell\.npy of the planes in 6 ROIs"
    ):
        assert not read(root).excluded
    assert len(read(root / "combined").excluded) == 6
    assert not read(root, all_rois=True).excluded


def test_combined_cells_of_another_run_are_passed_over(planes):
    assert not read(planes([300, 300], combined=True, iscell=np.zeros((5, 2)))).excluded

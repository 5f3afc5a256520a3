"""A folder of animals: the same files however many there are and however many processes write them."""

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.simulate import simulate, write_animals

SIZE = {"units": 10, "duration_s": 2.0, "seed": 3}


def times_s(path):
    return nwb_neurid.read(path).spikes.times_s


def test_animals_do_not_depend_on_how_many_there_are_nor_on_the_processes(tmp_path):
    told = []

    def progress(items, *, label="", total=None):
        for item in items:
            told.append((label, total or len(items)))
            yield item

    one = write_animals(tmp_path / "one", **SIZE, regions=2, animals=2, out_of_domain=1, jobs=1, progress=progress)
    two = write_animals(tmp_path / "two", **SIZE, regions=2, animals=1, out_of_domain=1, jobs=2, progress=progress)
    assert told == [("Animals", 3)] * 3 + [("Animals", 2)] * 2
    assert [path.name for path in one] == ["animal-000.nwb", "animal-001.nwb", "outside-000.nwb"]
    assert [path.name for path in two] == ["animal-000.nwb", "outside-000.nwb"]
    for path in two:
        np.testing.assert_array_equal(times_s(path), times_s(tmp_path / "one" / path.name))
    expected = simulate(**SIZE, regions=2, animal=1)
    np.testing.assert_array_equal(times_s(one[1]), expected.times_s)


def test_animals_can_be_imaged(tmp_path):
    (path,) = write_animals(tmp_path, **SIZE, animals=1, imaging_hz=10.0, jobs=1)
    assert nwb_neurid.read(path).activity.values.shape == (10, 20)


def test_existing_files_are_kept_unless_asked(tmp_path):
    mine = tmp_path / "animal-001.nwb"
    mine.write_bytes(b"mine")
    with pytest.raises(CannotWrite) as refused:
        write_animals(tmp_path, **SIZE, animals=2, jobs=1)
    assert str(refused.value) == f"{mine} exists. Replace it (--overwrite), or name another file."
    assert [path.name for path in tmp_path.iterdir()] == ["animal-001.nwb"]
    write_animals(tmp_path, **SIZE, animals=2, jobs=1, overwrite=True)
    assert len(times_s(mine))


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotWrite) as refused:
        write_animals(tmp_path / "file", **SIZE, animals=1)
    assert str(refused.value) == f"The folder {tmp_path / 'file'} cannot be made: File exists."


def test_an_error_of_another_process_is_that_error(tmp_path):
    # Another process imports all anew: what it meets has to be on the disk.
    (tmp_path / "animal-000.nwb").symlink_to(tmp_path / "nowhere" / "file")
    with pytest.raises(CannotWrite, match=r"animal-000\.nwb cannot be written: the folder .*nowhere does not exist\.$"):
        write_animals(tmp_path, **SIZE, animals=2, jobs=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"animals": 0}, "The number of animals to simulate must be 1 or more, got 0."),
        (
            {"animals": 1, "out_of_domain": -1},
            "The number of animals outside the domain to simulate must be 0 or more, got -1.",
        ),
        ({"animals": 1, "jobs": 0}, "The number of processes to simulate in must be 1 or more, got 0."),
        ({"animals": 1, "regions": 11}, "The regions to simulate must be 1 to 10 for 10 units, got 11."),
        ({"animals": 1, "imaging_hz": 0.1}, "2 s hold no frame at 0.1 Hz. Simulate 10 s or more."),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is_written(options, message, tmp_path):
    with pytest.raises(InvalidOption) as refused:
        write_animals(tmp_path / "folder", **SIZE, **options)
    assert str(refused.value) == message
    assert not (tmp_path / "folder").exists()

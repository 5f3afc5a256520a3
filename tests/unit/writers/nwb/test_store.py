"""Files with results: what is refused, what is replaced, and that nothing else is touched."""

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption, InvalidResults, NeuridWarning, NoResults, ResultsExist
from nwb_neurid.writers.nwb import store, writing
from nwb_neurid.writers.nwb.store import check_writable, name_after, read, remove, write
from nwb_neurid.writers.nwb.tables import describe_results
from nwb_neurid.writers.options import WriteOptions

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and signals are those of POSIX")


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def test_there_and_back(recording, embeddings, predictions, assert_same_results):
    region = replace(predictions, label_name="brain_region")
    assert write(recording, embeddings, [predictions, region]) == recording
    ((name, back, both),) = read(recording)
    assert name == name_after("nuclr") == "neurid_nuclr"
    assert_same_results(back, embeddings)
    assert [part.label_name for part in both] == ["brain_region", "cell_type"]
    assert_same_results(both[1], predictions)
    assert store.read_results(str(recording))[0].name == name
    assert names(recording) == ["recording.nwb"]


def test_there_and_back_beside_another_extension(
    recording, with_other_extension, embeddings, predictions, assert_same_results
):
    write(with_other_extension(recording), embeddings, [predictions])
    ((_, back, (part,)),) = read(recording)
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)


def test_there_and_back_on_cells(recording, cells, cell_embeddings, assert_same_results):
    write(recording, cell_embeddings, table=cells)
    assert_same_results(read(recording)[0].embeddings, cell_embeddings)


def test_results_of_several_names_live_side_by_side(recording, embeddings, predictions, assert_same_results):
    other = replace(embeddings, vectors=embeddings.vectors * 2)
    write(recording, embeddings, [predictions], name="first")
    write(recording, other, name="second")
    assert [found.name for found in read(recording)] == ["first", "second"]
    write(recording, replace(other, vectors=other.vectors * 2), name="second", overwrite=True)
    (first,) = read(recording, "first")
    assert_same_results(first.embeddings, embeddings)
    assert_same_results(first.predictions[0], predictions)
    np.testing.assert_array_equal(read(recording, "second")[0].embeddings.vectors, embeddings.vectors * 4)


@pytest.mark.parametrize("plain", [False, True], ids=["ndx", "core"])
def test_what_is_not_replaced_stays(
    recording, embeddings, predictions, with_other_extension, plain, assert_same_results
):
    if plain:
        with_other_extension(recording)
    region = replace(predictions, label_name="brain_region")
    write(recording, embeddings, [predictions], units_columns=True)
    write(recording, embeddings, [region], units_columns=True, overwrite=True)
    ((_, _, (first, second)),) = read(recording)
    assert_same_results(first, region)
    assert_same_results(second, predictions)
    with h5py.File(recording, "r") as file:
        names = [f"neurid_{label}" for label in ("cell_type", "brain_region")]
        assert set(file["units"].attrs["colnames"]) >= {*names, *(f"{name}_probability" for name in names)}


def test_predictions_of_other_vectors_go_with_them(recording, embeddings, predictions):
    write(recording, embeddings, [predictions, replace(predictions, label_name="brain_region")], units_columns=True)
    other = replace(embeddings, vectors=embeddings.vectors * 2)
    with pytest.warns(
        NeuridWarning, match=r"Predictions of brain_region were made from the old vectors and are removed with them"
    ):
        write(recording, other, [predictions], overwrite=True)
    with h5py.File(recording, "r") as file:
        assert set(file["units"].attrs["colnames"]) == {"spike_times", "cell_type"}
        assert sorted(file["processing/ecephys"]) == [
            "neurid_nuclr_embeddings",
            "neurid_nuclr_model",
            "neurid_nuclr_predictions_cell_type",
        ]


def test_overwriting_finds_results_on_another_table(recording, cells, embeddings, cell_embeddings):
    write(recording, embeddings, name="x")
    with pytest.raises(ResultsExist):
        write(recording, cell_embeddings, name="x", table=cells)
    write(recording, cell_embeddings, name="x", table=cells, overwrite=True)
    assert len(read(recording)[0].embeddings) == 4
    with h5py.File(recording, "r") as file:
        assert list(file["processing/ecephys"]) == []


def test_results_that_exist_are_refused_before_the_work(recording, embeddings, unchanged):
    check_writable(recording, WriteOptions(name="neurid_nuclr"))
    write(recording, embeddings)
    said = r"recording\.nwb holds results called 'neurid_nuclr' already.*--overwrite.*--name"
    with unchanged(recording):
        with pytest.raises(ResultsExist, match=said):
            check_writable(recording, WriteOptions(name="neurid_nuclr"))
        with pytest.raises(ResultsExist, match=said):
            write(recording, embeddings)
        check_writable(recording, WriteOptions(name="neurid_nuclr", overwrite=True))
        check_writable(recording, WriteOptions(name="other"))


def test_objects_of_others_are_never_replaced(recording, embeddings, unchanged):
    with h5py.File(recording, "r+") as file:
        file.create_group("processing/ophys/x_embeddings")
    said = "has other objects at /processing/ophys/x_embeddings, which are not replaced"
    with unchanged(recording):
        for refused in (
            lambda path, **options: check_writable(path, WriteOptions(**options)),
            lambda path, **options: write(path, embeddings, **options),
        ):
            with pytest.raises(CannotWrite, match=said):
                refused(recording, name="x", overwrite=True)


def test_odd_names_are_refused_before_the_work(recording, embeddings, unchanged):
    with unchanged(recording):
        for refused in (
            lambda path, **options: check_writable(path, WriteOptions(**options)),
            lambda path, **options: write(path, embeddings, **options),
        ):
            with pytest.raises(InvalidOption, match="'a/b' cannot be used"):
                refused(recording, name="a/b")


def test_rows_must_be_those_of_the_table(recording, embeddings, cell_embeddings, unchanged):
    with unchanged(recording):
        with pytest.raises(CannotWrite, match=r"has 6 rows in /units, the results have 4\. They belong to another"):
            write(recording, cell_embeddings)
        others = replace(embeddings, unit_ids=np.array([30, 7, 5, 90, 4, 2]))
        with pytest.raises(CannotWrite, match=r"the id in row 2 is 11 there and 5 in the results\. They belong"):
            write(recording, others)
        with pytest.raises(CannotWrite, match=r"recording\.nwb has no table 'nothing' that results could refer to"):
            write(recording, embeddings, table="nothing")


def test_output_elsewhere(recording, tmp_path, embeddings, unchanged):
    output = tmp_path / "output.nwb"
    with unchanged(recording):
        assert write(recording, embeddings, output=output) == output
        write(recording, replace(embeddings, vectors=-embeddings.vectors), output=output, overwrite=True)
    np.testing.assert_array_equal(read(output)[0].embeddings.vectors, -embeddings.vectors)
    assert names(output) == ["output.nwb", "recordings"]


@on_posix
def test_a_read_only_recording_goes_elsewhere(recording, tmp_path, embeddings, unchanged):
    recording.chmod(0o444)
    with unchanged(recording):
        write(recording, embeddings, output=tmp_path / "output.nwb")
    assert (tmp_path / "output.nwb").stat().st_mode & 0o200


@on_posix
def test_links_are_followed(recording, tmp_path, embeddings):
    link = tmp_path / "link.nwb"
    link.symlink_to(recording)
    assert write(link, embeddings) == link
    assert link.is_symlink()
    assert not recording.is_symlink()
    assert write(recording, embeddings, output=link, overwrite=True) == link
    assert link.is_symlink()
    assert [found.name for found in read(recording)] == ["neurid_nuclr"]
    assert (names(link), names(recording)) == (["link.nwb", "recordings"], ["recording.nwb"])


def test_the_recording_as_its_own_output_needs_no_overwrite(recording, embeddings):
    write(recording, embeddings, output=recording.parent / ".." / recording.parent.name / recording.name)
    assert len(read(recording)) == 1


@on_posix
def test_mode_is_kept(recording, embeddings):
    recording.chmod(0o640)
    write(recording, embeddings)
    assert recording.stat().st_mode & 0o777 == 0o640


def test_a_reader_keeps_what_it_opened(recording, embeddings):
    with h5py.File(recording, "r") as file:
        write(recording, embeddings)
        assert "processing/ecephys" not in file
        assert file["units/id"][0] == 30
    assert len(read(recording)) == 1


def test_no_results(recording, embeddings):
    with pytest.raises(NoResults, match=r"recording\.nwb holds no results of nwb-neurid"):
        read(recording)
    write(recording, embeddings, name="a")
    write(recording, embeddings, name="b")
    with pytest.raises(NoResults, match=r"recording\.nwb holds no results called 'c'\. It has: a, b\."):
        read(recording, "c")


def test_nothing_to_write(recording, embeddings, unchanged):
    with unchanged(recording), pytest.raises(InvalidResults, match="nothing to write"):
        write(recording, replace(embeddings, vectors=np.zeros((6, 0), np.float32)))


def test_ids_that_are_text(recording, embeddings, assert_same_results):
    ids = np.array(["5f1c", "单元", "", "c", "d", "c"])
    with h5py.File(recording, "r+") as file:
        del file["units/id"]
        file["units/id"] = ids.astype(object)
    named = replace(embeddings, unit_ids=ids)
    write(recording, named)
    assert_same_results(read(recording)[0].embeddings, named)
    with pytest.raises(CannotWrite, match="the id in row 0 is '5f1c' there and 30 in the results"):
        write(recording, embeddings, overwrite=True)


@pytest.mark.parametrize("extension", [False, True])
def test_labels_in_any_script_and_of_any_length(
    recording, with_other_extension, embeddings, predictions, assert_same_results, extension
):
    classes = np.array(["パルブアルブミン", "x" * 10_000, ""])
    odd = replace(
        predictions,
        classes=classes,
        label=np.array([classes[0], classes[1], "", classes[0], "", ""]),
        scope='"quoted"\nand {"more": "🧠"}',
    )
    if extension:
        with_other_extension(recording)
    write(recording, embeddings, [odd])
    assert_same_results(read(recording)[0].predictions[0], odd)


def test_one_unit(recording, embeddings, assert_same_results):
    with h5py.File(recording, "r+") as file:
        del file["units/id"]
        file["units/id"] = np.array([30])
    fields = ("vectors", "unit_ids", "n_windows", "stability", "reasons")
    one = replace(embeddings, **{name: getattr(embeddings, name)[:1] for name in fields})
    write(recording, one)
    assert_same_results(read(recording)[0].embeddings, one)


@pytest.mark.parametrize("extension", [False, True])
def test_the_room_that_is_reserved_suffices_and_the_rest_is_given_back(
    recording, with_other_extension, embeddings, predictions, extension
):
    if extension:
        with_other_extension(recording)
    labels = [replace(predictions, label_name=f"label{at}") for at in range(20)]
    reserved = store.ROOM_BYTES + sum(found.size_bytes for found in describe_results("x", embeddings, labels))
    before = recording.stat().st_size
    write(recording, embeddings, labels, name="x")
    assert recording.stat().st_size - before < reserved
    write(recording, embeddings, name="y")
    before = recording.stat().st_size
    write(recording, embeddings, name="z")
    assert recording.stat().st_size - before < 50_000


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_results_on_a_private_recording_are_private(recording, embeddings, tmp_path):
    recording.chmod(0o600)
    made = [
        write(recording, embeddings),
        write(recording, embeddings, name="x", sidecar=True),
        write(recording, embeddings, name="x", output=tmp_path / "copy.nwb"),
        remove(recording, "neurid_nuclr", output=tmp_path / "without.nwb"),
    ]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600] * 4
    recording.chmod(0o644)
    opened = write(recording, embeddings, name="y", output=tmp_path / "open.nwb")
    assert opened.stat().st_mode & 0o044


def test_a_sidecar_is_decided_on_under_the_lock(recording, embeddings, monkeypatch):
    """Another process makes the sidecar while this one makes its own."""
    inner = writing.make_sidecar

    def late(*arguments):
        monkeypatch.setattr(writing, "make_sidecar", inner)
        made = inner(*arguments)
        other = recording.with_name("recording.neurid.nwb")
        other.write_bytes(b"of somebody who takes no lock")
        return made

    monkeypatch.setattr(writing, "make_sidecar", late)
    with pytest.raises(CannotWrite, match=r"neurid\.nwb appeared while the results were being prepared"):
        write(recording, embeddings, sidecar=True)
    assert recording.with_name("recording.neurid.nwb").read_bytes() == b"of somebody who takes no lock"

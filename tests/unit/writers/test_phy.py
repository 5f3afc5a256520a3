"""Columns for phy: two columns a file, of the clusters as the folder calls them."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.writers.phy import check_folder, check_ids, make_columns, write_columns


@pytest.fixture
def folder(tmp_path):
    for name in ("spike_times.npy", "spike_clusters.npy"):
        np.save(tmp_path / name, np.arange(4))
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n")
    return tmp_path


def lines(path):
    return path.read_text("utf-8").splitlines()


def test_without_predictions_phy_shows_who_has_a_vector(folder, embeddings):
    columns = make_columns("neurid_isi", embeddings)
    (path,) = write_columns(folder, np.array([0, 7, 11, 90]), columns)
    assert path == folder / "cluster_neurid_isi.tsv"
    assert lines(path) == ["cluster_id\tneurid_isi", "0\tembedded", "7\tsilent", "11\tembedded", "90\tembedded"]
    assert lines(folder / "cluster_group.tsv") == ["cluster_id\tgroup", "0\tgood"]
    assert len(list(folder.iterdir())) == 4


def test_predictions_are_shown_where_the_model_does_not_decline(folder, embeddings, predictions):
    columns = make_columns("mine", embeddings, [predictions])
    paths = write_columns(folder, np.array([0, 7, 11, 90]), columns)
    assert [path.stem for path in paths] == [
        "cluster_neurid_mine",
        "cluster_neurid_mine_cell_type",
        "cluster_neurid_mine_cell_type_probability",
    ]
    assert lines(paths[1]) == ["cluster_id\tneurid_mine_cell_type", "0\tPV", "11\tSST"]
    assert lines(paths[2]) == ["cluster_id\tneurid_mine_cell_type_probability", "0\t0.9", "11\t0.6", "90\t0.5"]


def test_predictions_without_probabilities_have_no_column_of_them(embeddings, predictions):
    plain = replace(predictions, class_probabilities=np.full((4, 2), np.nan, np.float32))
    assert list(make_columns("x", embeddings, [plain])) == ["neurid_x", "neurid_x_cell_type"]


def test_the_reader_takes_none_of_them_for_known(folder, embeddings, predictions):
    from nwb_neurid.contracts import ReadOptions
    from nwb_neurid.readers.spikeinterface import PLUGIN

    write_columns(folder, np.arange(4), make_columns("neurid_isi", embeddings, [predictions]))
    with pytest.warns(UserWarning, match="does not state how long"):
        population = PLUGIN.read(folder, ReadOptions(rate_hz=1000.0))
    assert list(population.labels) == ["group"]


def test_only_folders_of_phy_have_such_columns(folder, tmp_path):
    check_folder(folder)
    (folder / "spike_clusters.npy").rename(folder / "spike_templates.npy")
    check_folder(str(folder))
    (folder / "spike_templates.npy").unlink()
    with pytest.raises(
        InvalidOption, match=r"--format phy writes columns into a folder of phy or Kilosort, but .* is not one"
    ):
        check_folder(folder)
    with pytest.raises(InvalidOption, match=r"it must hold spike_times\.npy, and spike_clusters\.npy or"):
        check_folder(tmp_path / "recording.nwb")


@pytest.mark.parametrize("ids", [np.array(["0", "1", "2", "3"]), np.array([0, 1, 2, -3]), np.array([0, 1, 2, 2])])
def test_units_that_are_no_clusters_are_refused(population, ids):
    check_ids(population)
    with pytest.raises(CannotWrite, match=r"clusters by unique whole numbers from 0, .* \(0, 1, 2, \.\.\.\)"):
        check_ids(replace(population, unit_ids=ids))


@pytest.mark.parametrize("name", ["/../../elsewhere/cluster_group", "../x", "a/b", "a\0b"])
def test_no_name_leads_out_of_the_folder(embeddings, predictions, name):
    with pytest.raises(InvalidOption, match="cannot be used in an NWB file: it must consist of"):
        make_columns("x", embeddings, [replace(predictions, label_name=name)])


def test_every_column_is_looked_for_before_the_first_is_written(folder, embeddings, predictions):
    columns = make_columns("x", embeddings, [predictions])
    (folder / "cluster_neurid_x_cell_type.tsv").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CannotWrite, match=r"cluster_neurid_x_cell_type\.tsv exists\. Replace it.*\(--name\)"):
        write_columns(folder, np.arange(4), columns)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    write_columns(folder, np.arange(4), columns, overwrite=True)
    assert len(list(folder.iterdir())) == 6


def test_columns_of_a_private_folder_are_private(folder, embeddings):
    folder.chmod(0o700)
    (path,) = write_columns(folder, np.arange(4), make_columns("x", embeddings))
    assert path.stat().st_mode & 0o077 == 0

"""Small inputs that once failed: each is read with its right value, or refused in one line."""

import re
import warnings

import h5py
import numpy as np
import pynwb
import pytest

from nwb_neurid import NeuridWarning, new_model, read
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions


@pytest.fixture
def read_case(shared_cases):
    """Reads a case; gives the population, and what was warned of but the observed time."""

    def read_one(name, **options):
        folder = shared_cases / name
        source = folder if name.startswith("phy") else next(iter(folder.iterdir()))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            population = read(source, **options)
        told = [str(one.message) for one in warned if issubclass(one.category, NeuridWarning)]
        return population, [line for line in told if "does not state" not in line]

    return read_one


def counts(values):
    return {str(name): int(count) for name, count in zip(*np.unique(values, return_counts=True), strict=True)}


def test_a_verdict_that_rejects_everything_is_passed_over(read_case):
    population, told = read_case("nwb_caiman_accepted")
    assert set(range(7)) - population.excluded.keys() == {0, 1, 3}
    assert told == []


def test_a_co2_laser_is_no_optogenetics(read_case):
    population, told = read_case("nwb_co2_laser")
    assert (population.observed_s.tolist(), told) == ([[0, 600]], [])


def test_invalid_times_of_one_probe_are_those_of_its_units(read_case):
    population, _ = read_case("nwb_invalid_times_of_one_probe")
    spikes = population.spikes.counts()
    assert 11_000 < spikes.sum() < 13_000
    assert np.all(spikes[:3] < 1100)
    assert np.all(spikes[3:] > 2900)


def test_channels_counted_per_probe_lead_to_the_right_regions(read_case):
    population, told = read_case("nwb_peak_channel_local")
    assert counts(population.labels["brain_region"]) == {"CA1": 3, "V1": 3}
    assert counts(population.group) == {"probe0": 3, "probe1": 3}
    assert len(told) == 1


def test_text_where_a_channel_was_expected_leaves_places_out(read_case):
    population, (told,) = read_case("nwb_peak_channel_text")
    assert len(population) == 4
    assert (population.positions_um, population.labels) == (None, {})
    assert "/units/peak_channel_id must hold numbers" in told


def test_positions_that_are_those_of_no_unit_are_not_known(read_case):
    assert read_case("nwb_positions_known_all_nan")[0].positions_um is None


def test_excellent_is_good(read_case):
    population, _ = read_case("nwb_quality_excellent")
    assert list(population.excluded) == [2]


def test_a_rate_is_no_resolution(read_case):
    population, (told,) = read_case("nwb_resolution_is_rate")
    assert population.resolution_s() == 0
    assert "states a resolution of 30000 s" in told


def test_samples_are_no_seconds(read_case):
    _, (told,) = read_case("nwb_spike_times_float_samples")
    assert "if they count samples, divide them by the sampling rate" in told


def test_units_in_the_acquisition_are_read(read_case):
    assert read_case("nwb_units_in_acquisition")[0].tables == ("/acquisition/SortedUnits",)


def test_words_for_not_known_are_no_types(read_case):
    population, _ = read_case("nwb_unknown_words")
    assert counts(population.labels["cell_type"]) == {"": 6, "PV": 1}


@pytest.mark.parametrize(
    "name",
    [
        "nwb_ascii_colnames",
        "nwb_colnames_missing_column",
        "nwb_colnames_scalar",
        "nwb_id_n1",
        "nwb_validate_old_schema",
    ],
)
def test_what_is_odd_to_write_to_is_read(read_case, name):
    assert len(read_case(name)[0]) > 0


@pytest.mark.parametrize("name", ["phy_dat_path_empty_list", "phy_sample_rate_npfloat"])
def test_params_are_read_however_they_are_written(read_case, name):
    population, told = read_case(name)
    assert (len(population), population.spikes.resolution_s, told) == (5, 1 / 30_000, [])


def test_an_empty_table_is_left_out(read_case):
    population, (told,) = read_case("phy_empty_table")
    assert len(population) == 5
    assert re.search(r"left out:\n  - .*cluster_info\.tsv is empty", told)


def test_ids_of_clusters_may_be_written_as_floats(read_case):
    population, (told,) = read_case("phy_float_cluster_ids")
    assert counts(population.labels["group"]) == {"good": 3, "mua": 1, "noise": 1}
    assert "left out 1 of 5 units: group is 'noise'" in told


@pytest.mark.parametrize("name", ["nwb_ascii_colnames", "nwb_colnames_missing_column", "nwb_colnames_scalar"])
def test_without_a_new_column_names_of_columns_are_not_written(shared_cases, tmp_path, name):
    source = shared_cases / name / "f.nwb"
    before, after = (_read_names(path) for path in (source, _embed(source, tmp_path / "f.nwb")))
    assert before == after


def test_an_old_schema_gets_no_further_messages(shared_cases, tmp_path):
    source = shared_cases / "nwb_validate_old_schema" / "f.nwb"
    before, after = (_list_messages(path) for path in (source, _embed(source, tmp_path / "f.nwb")))
    assert len(before) > 3
    assert after - before <= {"check_single_row"}  # its only unit has a row


def _embed(source, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)
        return embed_file(source, new_model("isi"), writing=WriteOptions(output=path)).path


def _read_names(path):
    with h5py.File(path) as file:
        stored = file["units"].attrs.get_id("colnames")
        return stored.dtype, stored.shape, np.ravel(file["units"].attrs["colnames"]).tolist()


def _list_messages(path):
    from nwbinspector import inspect_nwbfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [*map(str, pynwb.validate(path=path)), *inspect_nwbfile(nwbfile_path=path)]
    return {each if isinstance(each, str) else each.check_function_name for each in found}

"""What is like the inputs that once failed: other names, other spellings, other units, and what they mean."""

import codecs
import shutil
import warnings
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile

from nwb_neurid import NeuridWarning, read

REGIONS = {"CA1": 3, "V1": 3}
LOCAL = [1, 3, 5, 1, 3, 5]
WORDS = ["good", "mua", "noise", "good", "good"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Six units, three of each of two probes, with ids of electrodes counted through; no column names an electrode."""
    rng = np.random.default_rng(0)
    made = NWBFile("units of two probes", "similar", datetime(2020, 1, 1, tzinfo=UTC))
    for probe, region in enumerate(REGIONS):
        group = made.create_electrode_group(f"probe{probe}", "a probe", region, made.create_device(f"device{probe}"))
        for channel in range(8):
            made.add_electrode(group=group, location=region, rel_x=10.0 * (channel % 2), rel_y=20.0 * channel)
    for _ in range(6):
        made.add_unit(spike_times=np.sort(rng.uniform(0, 600, 200)), obs_intervals=[[0.0, 600.0]])
    path = tmp_path_factory.mktemp("similar") / "base.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(made)
    return path


@pytest.fixture
def make(base, tmp_path):
    """Copies the recording, with columns of units, and with what a function does to the file."""

    def make_one(columns=None, edit=None):
        path = shutil.copyfile(base, tmp_path / "f.nwb")
        with h5py.File(path, "r+") as file:
            for name, values in (columns or {}).items():
                add_column(file["units"], name, values)
            if edit is not None:
                edit(file)
        return path

    return make_one


def add_column(table, name, values):
    text = any(isinstance(value, str) for value in values)
    table.create_dataset(name, data=values, dtype=h5py.string_dtype() if text else None)
    table[name].attrs.update({"neurodata_type": "VectorData", "namespace": "hdmf-common", "description": name})
    table.attrs["colnames"] = [*table.attrs["colnames"], name]


def read_telling(source, **options):
    """The population, and what was warned of but the observed time."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        population = read(source, **options)
    told = [str(one.message) for one in warned if issubclass(one.category, NeuridWarning)]
    return population, [line for line in told if "does not state" not in line]


def count(values):
    return {str(name): int(times) for name, times in zip(*np.unique(values, return_counts=True), strict=True)}


@pytest.mark.parametrize("column", ["peak_channel_id", "max_electrode"])
@pytest.mark.parametrize(
    "probes",
    [
        {"probe": ["probe0"] * 3 + ["probe1"] * 3},
        {"probe": [0] * 3 + [1] * 3},
        {"probe_id": [1] * 3 + [2] * 3},
        {"shank": ["0"] * 3 + ["1"] * 3},
        {"group_name": ["Probe 0"] * 3 + ["Probe 1"] * 3},
        {"electrode_group_name": ["probe0"] * 3 + ["probe1"] * 3},
    ],
    ids=str,
)
def test_channels_of_a_probe_that_another_column_names(make, column, probes):
    population, told = read_telling(make({column: LOCAL, **probes}))
    assert count(population.labels["brain_region"]) == REGIONS
    assert count(population.group) == {"probe0": 3, "probe1": 3}
    assert "read as channel numbers within each group" in told[0]


def test_a_column_that_names_no_probe_is_none(make):
    population, told = read_telling(make({"peak_channel_id": [1, 2, 3, 9, 10, 11], "group": ["good", "mua"] * 3}))
    assert count(population.labels["brain_region"]) == REGIONS
    assert told == []


@pytest.mark.parametrize(
    ("scale", "unit"), [(1e-3, "millimetres"), (1e-6, "metres"), (1e3, "nanometres")], ids=lambda value: str(value)
)
def test_positions_in_other_units_of_length(make, scale, unit):
    def edit(file):
        for name in ("rel_x", "rel_y"):
            file[f"general/extracellular_ephys/electrodes/{name}"][...] *= scale

    population, (told,) = read_telling(make({"peak_channel_id": [0, 1, 2, 8, 9, 10]}, edit))
    np.testing.assert_allclose(population.positions_um[1], [10, 20, 0], rtol=1e-5)
    assert told.endswith(f"read as {unit}.")


@pytest.mark.parametrize(
    ("words", "left_out"),
    [
        (["SUA", "MUA", "single_unit", "su", "mua", "noise"], [1, 4, 5]),
        (["single-unit", "multi-unit", "Single Unit", "SU", "MU", "Noise"], [1, 4, 5]),
        (["well isolated", "isolated", "multi", "Well-Isolated", "noise", "best"], [2, 4]),
        (["good (5)", "GOOD", "fair", "poor", "Good ", "bad"], [2, 3, 5]),
        (["ok", "ok", "noise", "ok", "artefact", "ok"], [2, 4]),
        (["A", "B", "C", "A", "B", "C"], []),
    ],
)
def test_other_words_for_quality(make, words, left_out):
    assert sorted(read_telling(make({"quality": words}))[0].excluded) == left_out


@pytest.mark.parametrize(
    "column", ["group", "KSLabel", "ks_label", "bc_unitType", "unit_type", "phy_label", "cluster_group", "curation"]
)
def test_noise_in_other_columns(make, column):
    population, told = read_telling(make({column: ["good", "mua", "noise", "good", "good", "Noise 2"]}))
    assert population.excluded == {2: f"{column} is 'noise'", 5: f"{column} is 'Noise 2'"}
    assert "left out 2 of 6 units" in told[0]
    assert not read(make({column: ["good", "noise"] * 3}), where="all").excluded


def test_noise_everywhere_is_no_verdict(make):
    population, told = read_telling(make({"group": ["noise"] * 6}))
    assert (population.excluded, len(told)) == ({}, 1)


def add_invalid(file, **columns):
    table = file.create_group("intervals/invalid_times")
    table.attrs.update({"neurodata_type": "TimeIntervals", "namespace": "core", "description": "x", "colnames": []})
    table["id"] = [0]
    for name, value in {"start_time": 100.0, "stop_time": 500.0, **columns}.items():
        add_column(table, name, [value])


@pytest.mark.parametrize(
    "columns",
    [
        *(
            {"tags": text}
            for text in ("Probe0", "probe_0", "probe 0", "probe0: noise", "bad (PROBE0)", "imec0", "device0")
        ),
        {"probe": 0},
        {"group": "Probe0"},
        {"reason": "probe0 lost its signal"},
    ],
    ids=str,
)
def test_invalid_times_of_a_probe_however_it_is_named(make, columns):
    units = {"probe_name": ["probe0"] * 3 + ["probe1"] * 3}
    spikes = read_telling(make(units, lambda file: add_invalid(file, **columns)))[0].spikes.counts()
    assert spikes[:3].max() < 90
    assert spikes[3:].min() == 200


@pytest.mark.parametrize(("tag", "kept"), [("artifact", 90), ("probe0; probe1", 90), ("probe7", 201)])
def test_invalid_times_of_all_probes_or_of_none(make, tag, kept):
    units = {"probe_name": ["probe0"] * 3 + ["probe1"] * 3}
    counts = read_telling(make(units, lambda file: add_invalid(file, tags=tag)))[0].spikes.counts()
    assert counts.max() < kept
    assert (counts.min() == 200) == (tag == "probe7")


@pytest.mark.parametrize(
    ("name", "description", "is_opto"),
    [
        ("CO2Laser", "pulses", False),
        ("thulium_laser", "pulses", False),
        ("Nd_YAP_laser", "pulses", False),
        ("laser_lick_detector", "licks", False),
        ("Optotrak", "motion capture", False),
        ("optocoupler_sync", "pulses", False),
        ("optode", "near-infrared spectroscopy", False),
        ("led_stim", "a visual cue", False),
        ("led_stim", "Optogenetic stimulation at 470 nm", True),
        ("laser_stim", "473 nm", True),
        ("photoinhibition", "light on the cortex", True),
        ("ChR2_pulses", "10 ms", True),
        ("optical_stimulation", "10 ms", True),
        ("optotagging", "10 ms", True),
    ],
)
def test_other_devices_that_shine(make, name, description, is_opto):
    def edit(file):
        table = file.create_group(f"intervals/{name}")
        about = {"neurodata_type": "TimeIntervals", "namespace": "core", "description": description, "colnames": []}
        table.attrs.update(about)
        table["id"] = [0]
        for column, value in (("start_time", 400.0), ("stop_time", 401.0)):
            add_column(table, column, [value])

    assert (read_telling(make(edit=edit))[0].observed_s[-1, 1] == 100) == is_opto


@pytest.mark.parametrize(
    ("column", "values"), [("main_ch", ["CH12", "CH13"] * 3), ("depth_text", ["120 um", "1,300 µm"] * 3)]
)
def test_quantities_and_channels_are_no_labels(make, column, values):
    assert column not in read(make({column: values})).labels


@pytest.fixture
def phy(tmp_path):
    """Five clusters at 30 kHz."""

    def make_folder(table=None, params="sample_rate = 30000.\n", name="cluster_group.tsv"):
        rng = np.random.default_rng(0)
        folder = tmp_path / "phy"
        folder.mkdir()
        np.save(folder / "spike_times.npy", np.sort(rng.integers(0, 60 * 30_000, 500)))
        np.save(folder / "spike_clusters.npy", rng.integers(0, 5, 500))
        (folder / "params.py").write_bytes(params if isinstance(params, bytes) else params.encode())
        if table is not None:
            (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode())
        return folder

    return make_folder


def tabulate(head="cluster_id\tgroup", form="{}", sep="\t", end="\n"):
    return end.join([head, *(f"{form.format(cluster)}{sep}{word}" for cluster, word in enumerate(WORDS)), ""])


@pytest.mark.parametrize(
    "table",
    [
        tabulate(end="\r\n"),
        tabulate(end="\r"),
        "\ufeff" + tabulate(),
        tabulate().encode("utf-16"),
        codecs.BOM_UTF16_BE + tabulate().encode("utf-16-be"),
        tabulate().encode("utf-16-le"),
        tabulate().encode("utf-32"),
        tabulate(form="{}.000"),
        tabulate(form="{}e0"),
        tabulate(form="{},0"),
        tabulate(form='"{}"'),
        tabulate(form="unit_{}"),
        tabulate(form="Unit {}"),
        tabulate(form="#{}"),
        tabulate(form="00{}"),
        *(
            tabulate(head=f"{key}\tgroup")
            for key in ("ClusterID", "clusterId", "Cluster ID", " id ", "unit_index", "clu_id")
        ),
        tabulate(head="original_cluster_id\tgroup"),
        tabulate(head="\tgroup"),
        tabulate(head="cluster_id;group", sep=";"),
        tabulate(head="cluster_id, group", sep=", "),
        "# made by a script\n" + tabulate(),
        "\n\n" + tabulate(),
    ],
    ids=repr,
)
def test_tables_of_clusters_however_they_are_written(phy, table):
    population, (told,) = read_telling(phy(table))
    assert count(population.labels["group"]) == {"good": 3, "mua": 1, "noise": 1}
    assert list(population.excluded) == [2]
    assert "left out 1 of 5 units" in told


def test_the_ending_of_a_table_may_be_in_capitals(phy):
    assert count(read_telling(phy(tabulate(), name="cluster_group.TSV"))[0].labels["group"])["mua"] == 1


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (tabulate(form="1{}"), "none of its clusters has spikes"),
        ("cluster_id\tgroup\n1\tgood\n2\tgood\n3\tnoise\n4\tgood\n5\tgood\n", "as if they were counted from 1"),
        (b"\0" * 50, "has no column cluster_id"),
        ("", "is empty"),
    ],
)
def test_a_table_that_joins_to_nothing_is_named(phy, table, why):
    population, (told,) = read_telling(phy(table))
    assert (population.labels, population.excluded) == ({}, {})
    assert why in told


@pytest.mark.parametrize(
    "value",
    [
        *(
            "np.array(30000.)",
            "np.array([30000.0])",
            "[30000.0]",
            "(30000.,)",
            "'30000'",
            "np.double(30000)",
        ),
        *("torch.tensor(30000.)", 'Decimal("30000")', "30_000", "3e4  # Hz", "np.float64('30000')"),
    ],
)
def test_rates_however_they_are_written(phy, value):
    assert read_telling(phy(params=f"sample_rate = {value}\n"))[0].spikes.resolution_s == 1 / 30_000


@pytest.mark.parametrize(
    "params",
    [
        "fs = 30000\n",
        "sampling_rate = 30000.\r\n",
        "Sample_Rate = 30000\n",
        "\ufeffsample_rate = 30000\n",
        "sample_rate = 30000\n".encode("utf-16"),
        "sample_rate: float = 30000\n",
        *(f"sample_rate = 30000.\ndat_path = {path}\n" for path in ("None", "()", "['']", "['a', None]", "5", "b'x'")),
    ],
    ids=repr,
)
def test_params_however_they_are_written(phy, params):
    assert read_telling(phy(params=params))[0].spikes.resolution_s == 1 / 30_000


def test_a_rate_in_khz_is_not_believed_to_be_in_hz(phy):
    population, (told,) = read_telling(phy(params="sample_rate = 30.0\n"))
    assert population.spikes.resolution_s == 1 / 30_000
    assert "so it is read as kHz" in told
    shutil.rmtree(population.source)
    population, told = read_telling(phy(params=""), rate_hz=30.0)
    assert "If that is in kHz, give 30000" in told[0]


@pytest.mark.parametrize("options", [{}, {"start_s": 0.0, "stop_s": 1e5}], ids=["all", "a stretch"])
@pytest.mark.parametrize("scale", [1e3, 3e4])
def test_times_in_memory_that_are_no_seconds(scale, options):
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 600, 500)) * scale for _ in range(3)]
    assert "are probably not in seconds" in read_telling(trains, **options)[1][0]


@pytest.mark.parametrize("shape", [(6, 1), (6,)])
@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_ids_of_units_in_other_shapes(make, shape, kind):
    def edit(file):
        del file["units/id"]
        file["units/id"] = np.arange(6).astype(kind).reshape(shape)

    assert read_telling(make(edit=edit))[0].unit_ids.tolist() == [*range(6)]


@pytest.mark.parametrize("place", ["processing/sorting/Units", "analysis/units", "scratch/units"])
def test_units_in_other_places(make, place):
    def edit(file):
        file.require_group(place.rpartition("/")[0])
        file.move("units", place)

    assert read_telling(make(edit=edit))[0].tables == (f"/{place}",)

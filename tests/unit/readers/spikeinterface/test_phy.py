import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.spikeinterface import PLUGIN
from nwb_neurid.readers.spikeinterface.params import Unparsed, read_params


def test_clusters_with_spikes_are_units(phy_folder, read, trains):
    population = read(phy_folder())
    assert population.unit_ids.tolist() == [2, 5, 7]
    assert trains(population) == [[0.2], [0.1, 0.3], [0.3]]
    assert population.activity.resolution_s == 0.001


def test_a_column_matrix_is_a_column(phy_folder, read, trains):
    folder = phy_folder(samples=np.array([[1], [2]], np.uint64), clusters=np.array([[0], [1]], np.uint32))
    assert trains(read(folder)) == [[0.001], [0.002]]


def test_whole_numbers_may_be_stored_as_floats(phy_folder, read, trains):
    assert trains(read(phy_folder(samples=[100.0, 200.0], clusters=[0.0, 0.0]))) == [[0.1, 0.2]]


def test_templates_stand_for_clusters_before_curation(phy_folder, read):
    folder = phy_folder()
    (folder / "spike_clusters.npy").rename(folder / "spike_templates.npy")
    assert PLUGIN.recognises(folder)
    assert read(folder).unit_ids.tolist() == [2, 5, 7]


def test_text_columns_of_clusters_are_labels(phy_folder, read):
    population = read(
        phy_folder(
            cluster_group="cluster_id\tgroup\n5\tgood\n2\tmua\n99\tnoise\n",
            cluster_KSLabel="cluster_id\tKSLabel\n2\tmua\n5\tgood\n7\tgood\n",
            cluster_Amplitude="cluster_id\tAmplitude\n2\t12.5\n5\t3\n",
            cluster_region="cluster_id\tbrain_region\n2\tCA1\n5\tunknown\n",
            cluster_neurid_label="cluster_id\tneurid_label\n2\tPV\n",
        )
    )
    assert {name: values.tolist() for name, values in population.labels.items()} == {
        "group": ["mua", "good", ""],
        "KSLabel": ["mua", "good", "good"],
        "brain_region": ["CA1", "", ""],
    }
    assert population.group is None


def test_single_tables_override_the_summary(phy_folder, read):
    population = read(
        phy_folder(
            cluster_info="id\tgroup\tsh\n2\tmua\t0\n5\tmua\t1\n7\tmua\t1\n",
            cluster_group="cluster_id\tgroup\n5\tgood\n",
        )
    )
    assert {name: values.tolist() for name, values in population.labels.items()} == {"group": ["mua", "good", "mua"]}
    assert population.group.tolist() == ["0", "1", "1"]


def test_tables_may_be_ragged_or_of_something_else(phy_folder, read):
    population = read(
        phy_folder(
            cluster_group="cluster_id\tgroup\n5\n\n2\tmua\tmore\n",
            cluster_empty="cluster_id\tquality\n",
        )
    )
    assert {name: values.tolist() for name, values in population.labels.items()} == {"group": ["mua", "", ""]}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("cluster_group", "", "cluster_group.tsv is empty. Save it again in phy."),
        ("cluster_info", "\n\n", "cluster_info.tsv is empty"),
        ("cluster_x", "channel\tgroup\n2\tmua\n", "cluster_x.tsv has no column cluster_id, it has: channel, group."),
        (
            "cluster_y",
            "cluster_id\tgroup\n3\tmua\n9\tgood\n",
            "none of its clusters has spikes (the first are 3, 9)",
        ),
        ("cluster_z", "cluster_id\tgroup\nKS2\tmua\n", "none of its clusters has spikes (the first are KS2)"),
        ("cluster_q", '"', "cluster_q.tsv has no column cluster_id"),
    ],
)
def test_a_table_of_which_nothing_can_be_used_is_left_out_with_a_warning(phy_folder, read, name, text, why):
    with pytest.warns(NeuridWarning) as warned:
        population = read(phy_folder(**{name: text}))
    assert len(population) == 3
    assert population.labels == {}
    (message,) = [str(one.message) for one in warned]
    assert "some data cannot be used and are left out:\n  - " in message
    assert why in message


SPELLINGS = {
    "floats": b"cluster_id\tgroup\n2.0\tmua\n5.0\tgood\n",
    "exponents": b"cluster_id\tgroup\n2e0\tmua\n5e+00\tgood\n",
    "capitals": b"Cluster ID\tgroup\n2\tmua\n5\tgood\n",
    "other name": b"cluster\tgroup\n2\tmua\n5\tgood\n",
    "unit": b"unit_id,group\r\n2,mua\r\n5,good\r\n",
    "quotes": b'"cluster_id"\t"group"\n"2"\t"mua"\n"5"\t"good"\n',
    "blanks": b" cluster_id \t group \n 2 \t mua \n 5 \t good \n",
    "semicolons": b"cluster_id;group\n2;mua\n5;good\n",
    "no header": b"2\tmua\n5\tgood\n",
    "byte order mark": b"\xef\xbb\xbfcluster_id\tgroup\n2\tmua\n5\tgood\n",
    "UTF-16": "cluster_id\tgroup\n2\tmua\n5\tgood\n".encode("utf-16"),
    "Windows": "cluster_id\tgroup\tgr\xf6\xdfe\n2\tmua\n5\tgood\n".encode("cp1252"),
    "empty lines": b"\n\ncluster_id\tgroup\n\n2\tmua\n5\tgood\n\n",
}


@pytest.mark.parametrize("table", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_tables_join_however_they_are_written(phy_folder, read, table):
    folder = phy_folder()
    (folder / "cluster_group.tsv").write_bytes(table)
    assert read(folder).labels["group"].tolist() == ["mua", "good", ""]


NOISE = "cluster_id\tgroup\n2\tnoise\n5\tgood\n7\tunsorted\n"


def test_noise_keeps_its_row_with_the_reason(phy_folder, read):
    folder = phy_folder(cluster_group=NOISE)
    with pytest.warns(NeuridWarning, match="left out 1 of 3 units: group is 'noise'; --where all keeps every unit"):
        population = read(folder)
    assert len(population) == 3
    assert population.excluded == {0: "group is 'noise'"}
    assert not read(folder, where="all").excluded


def test_what_was_called_by_hand_goes_before_what_a_program_called(phy_folder, read):
    folder = phy_folder(
        cluster_group="cluster_id\tgroup\n2\tgood\n5\tunsorted\n",
        cluster_bc_unitType="cluster_id\tbc_unitType\n2\tNOISE\n5\tNOISE\n7\tMUA\n",
    )
    with pytest.warns(NeuridWarning, match="left out 1 of 3 units: bc_unitType is 'NOISE'"):
        assert read(folder).excluded == {1: "bc_unitType is 'NOISE'"}


def test_a_verdict_on_everything_is_none(phy_folder, read):
    folder = phy_folder(cluster_group=NOISE.replace("good", "noise").replace("unsorted", "noise"))
    with pytest.warns(NeuridWarning, match="every unit is rejected .group is 'noise'., so these columns are ignored"):
        assert not read(folder).excluded


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("group == 'good'", {1}),
        ("Amplitude > 5", {0}),
        ("Amplitude > 5 or id == 7", {0, 2}),
        ("KSLabel in ['good', 'mua'] and n_spikes >= 10", {2}),
    ],
)
def test_clusters_are_selected_by_the_columns_of_the_tables(phy_folder, read, where, rows):
    folder = phy_folder(
        cluster_group=NOISE,
        cluster_Amplitude="cluster_id\tAmplitude\n2\t12.5\n5\t3\n",
        cluster_info="cluster_id\tKSLabel\tn_spikes\n2\tmua\t5\n5\tgood\t7\n7\tgood\t10\n",
    )
    why = f"not selected by --where {where}"
    assert read(folder, where=where).excluded == dict.fromkeys({0, 1, 2} - rows, why)


def test_a_condition_names_the_columns_that_there_are(phy_folder, refused):
    folder = phy_folder(cluster_group=NOISE)
    words = f"--where 'snr > 2': {folder} has no column snr with one value per row. It has: id, group."
    refused(folder, InvalidOption, words, where="snr > 2")
    refused(folder, InvalidOption, "selects none of the 3 rows of", where="id == 3")


def test_depths_of_the_table_are_positions(phy_folder, read):
    folder = phy_folder(cluster_info="id\tdepth\n2\t20.0\n7\t40\n")
    np.testing.assert_array_equal(read(folder).positions_um, [[0, 20, 0], [np.nan] * 3, [0, 40, 0]])


def test_old_tables_are_csv(phy_folder, read):
    folder = phy_folder()
    (folder / "cluster_groups.csv").write_text("cluster_id,group\n2,good\n")
    assert read(folder).labels["group"].tolist() == ["good", "", ""]


def test_the_raw_file_tells_how_long_was_recorded(phy_folder):
    folder = phy_folder(
        params="sample_rate = 1000\ndat_path = 'raw.dat'\nn_channels_dat = 4\ndtype = 'int16'\noffset = 16\n"
    )
    (folder / "raw.dat").write_bytes(bytes(16 + 500 * 4 * 2))
    assert PLUGIN.read(folder, ReadOptions()).observed_s.tolist() == [[0, 0.5]]


def test_several_raw_files_are_one_recording(phy_folder):
    folder = phy_folder(
        params="sample_rate = 1000\ndat_path = ['1.dat', '2.dat']\nn_channels_dat = 1\ndtype = 'int16'\n"
    )
    (folder / "1.dat").write_bytes(bytes(400))
    (folder / "2.dat").write_bytes(bytes(600))
    assert PLUGIN.read(folder, ReadOptions()).observed_s.tolist() == [[0, 0.5]]


@pytest.mark.parametrize(
    "described",
    [
        "dat_path = 'elsewhere.dat'\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = 'raw.dat'\nn_channels_dat = 1\ndtype = 'nothing'",
        "dat_path = 'raw.dat'\nn_channels_dat = 0\ndtype = 'int16'",
        "dat_path = 'raw.dat'\nn_channels_dat = 1",
        "dat_path = 'raw.dat'\nn_channels_dat = 1\ndtype = 'int16'\noffset = 10000",
        "dat_path = 'raw.dat'\nn_channels_dat = 2\ndtype = 'int16'",
        "dat_path = [3]\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = []\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = ()\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = ''\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = None\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = ['raw.dat', 3]\nn_channels_dat = 1\ndtype = 'int16'",
        "dat_path = 'raw\\0.dat'\nn_channels_dat = 1\ndtype = 'int16'",
        "",
    ],
)
def test_a_raw_file_that_is_gone_or_too_short_tells_nothing(phy_folder, described):
    folder = phy_folder(params=f"sample_rate = 1000\n{described}\n")
    (folder / "raw.dat").write_bytes(bytes(1000))
    with pytest.warns(NeuridWarning, match=r"does not state how long it was recorded.*\(0.1 to 0.3"):
        population = PLUGIN.read(folder, ReadOptions())
    assert len(population.spikes.times_s) == 4


def test_spikes_need_not_be_sorted(phy_folder, read, trains):
    with pytest.warns(NeuridWarning, match="were not in ascending order in 1 of 2 units"):
        population = read(phy_folder(samples=[300, 200, 100], clusters=[1, 0, 1]))
    assert trains(population) == [[0.2], [0.1, 0.3]]


def test_params_are_never_run(phy_folder, read, tmp_path):
    ran = tmp_path / "ran"
    folder = phy_folder(
        params=f"sample_rate = 1000.  # Hz\nopen({str(ran)!r}, 'w')\nx = open({str(ran)!r}, 'w')\n"
        f"y = __import__('pathlib').Path({str(ran)!r}).touch()\n"
    )
    assert len(read(folder)) == 3
    assert not ran.exists()


def test_params_are_literals_line_by_line(tmp_path):
    path = tmp_path / "params.py"
    path.write_text(
        "dat_path = r'D:\\data\\new.dat'\nbroken = 'D:\\Users\\x'\n\ufeffodd\nn_channels_dat=385 # all\n"
        "hp_filtered = False\nfiles = ['a', 'b']\nname = other\n" + "(" * 5000 + "\n" + "deep = " + "[" * 5000 + "\n"
    )
    assert read_params(path) == {
        "dat_path": "D:\\data\\new.dat",
        "broken": "'D:\\Users\\x'",
        "n_channels_dat": 385,
        "hp_filtered": False,
        "files": ["a", "b"],
        "name": "other",
        "deep": "[" * 5000,
    }
    assert isinstance(read_params(path)["name"], Unparsed)
    assert read_params(tmp_path / "none.py") == {}


@pytest.mark.parametrize(
    "value",
    [
        "30000.",
        "np.float64(30000.0)",
        "numpy.int64(30000)",
        "np.float32(3e4)",
        "float('30000')",
        "int(30000)",
        "'30000'",
        "30_000  # Hz",
        "(\n    30000.0\n)",
        "3e4; other = 1",
    ],
)
def test_a_rate_is_read_however_it_is_written(phy_folder, read, value):
    folder = phy_folder(params=f"dat_path = []\nsample_rate = {value}\n")
    assert read(folder).activity.resolution_s == 1 / 30000


@pytest.mark.parametrize(
    "value", ["fs", "1 / 0", "np.float64(x)", "open('x').read()", "None", "[30000, 1]", "-1", "1" + "0" * 400]
)
def test_a_rate_that_is_none_is_said_so_and_the_option_counts(phy_folder, read, refused, value):
    folder = phy_folder(params=f"sample_rate = {value}\n")
    if value != "None":
        refused(
            folder, InvalidSource, "params.py must state its sampling rate, a number from 1 to 1e+09 Hz, it states "
        )
        with pytest.warns(NeuridWarning, match=r"params.py must state its .*\. rate_hz is used instead: 1000 Hz"):
            assert read(folder, rate_hz=1000.0).activity.resolution_s == 0.001
    else:
        assert read(folder, rate_hz=1000.0).activity.resolution_s == 0.001
    refused(folder, InvalidOption, "rate_hz must be a number from 1 to 1e+09 Hz, got inf", rate_hz=float("inf"))


def test_without_params_the_rate_is_asked_for(phy_folder, read, refused, trains):
    folder = phy_folder(params=None)
    refused(folder, InvalidOption, "does not state its sampling rate: there is no params.py with a sample_rate")
    assert trains(read(folder, rate_hz=1000.0)) == [[0.2], [0.1, 0.3], [0.3]]
    refused(folder, InvalidOption, "rate_hz must be a number from 1 to 1e+09 Hz, got 0", rate_hz=0.0)


def lay_out(channels, pitch_um=20.0, columns=(27.0, 59.0, 11.0, 43.0)):
    """Channels in rows of two; by default those of Neuropixels 1.0."""
    at = np.arange(channels)
    return np.column_stack([np.array(columns)[at % len(columns)], at // 2 * pitch_um])


@pytest.mark.parametrize(
    ("positions", "probe"),
    [
        (lay_out(384), "Neuropixels 1.0"),
        (lay_out(356)[:, [0, 1]] + [5.0, 3000.0], "Neuropixels 1.0"),
        (lay_out(96, 15.0, (27.0, 59.0)), "Neuropixels 2.0"),
        (np.r_[lay_out(96, 15.0, (0.0, 32.0)), lay_out(96, 15.0, (750.0, 782.0))], "Neuropixels 2.0"),
    ],
)
def test_without_params_a_probe_that_has_one_rate_tells_it(phy_folder, read, trains, positions, probe):
    folder = phy_folder(params=None)
    np.save(folder / "channel_positions.npy", positions)
    with pytest.warns(NeuridWarning, match=f"laid out as on {probe}, which samples at 30000 Hz, so that rate is used"):
        population = read(folder)
    assert trains(population) == [[200 / 3e4], [100 / 3e4, 300 / 3e4], [300 / 3e4]]


@pytest.mark.parametrize(
    "positions",
    [
        lay_out(32),
        lay_out(96, 25.0),
        lay_out(96, 15.0, (0.0, 40.0)),
        lay_out(96, 20.0, (27.0, 59.0)),
        np.zeros((96, 2)),
        np.zeros((96, 3)),
        np.full((96, 2), np.nan),
    ],
)
def test_a_layout_of_no_known_probe_tells_no_rate(phy_folder, refused, positions):
    folder = phy_folder(params=None)
    np.save(folder / "channel_positions.npy", positions)
    refused(folder, InvalidOption, "does not state its sampling rate: there is no params.py with a sample_rate")


def test_a_rate_that_is_stated_goes_before_that_of_the_probe(phy_folder, read, trains):
    folder = phy_folder()
    np.save(folder / "channel_positions.npy", lay_out(384))
    assert trains(read(folder))[0] == [0.2]
    (folder / "params.py").unlink()
    assert trains(read(folder, rate_hz=2000.0))[0] == [0.1]


def test_two_rates_that_differ_are_refused(phy_folder, read, refused):
    folder = phy_folder()
    refused(
        folder, InvalidOption, "states a sampling rate of 1000 Hz, but rate_hz is 30000. Leave rate_hz out", rate_hz=3e4
    )
    assert len(read(folder, rate_hz=1000.0)) == 3


@pytest.mark.parametrize("rate", ["0", "-5", "'fast'", "True", "1e400"])
def test_what_is_no_rate_is_refused(phy_folder, refused, rate):
    refused(phy_folder(params=f"sample_rate = {rate}\n"), InvalidSource, "must state its sampling rate")


@pytest.mark.parametrize(
    ("samples", "clusters", "error", "words"),
    [
        ([1, 2, 3], [0, 1], InvalidSource, "must have one cluster for each of 3 spikes in spike_times.npy, it has 2"),
        ([0.1, 0.25], [0, 1], InvalidSource, "spike_times.npy must be whole numbers (samples, not seconds)"),
        ([np.nan, 1], [0, 1], InvalidSource, "must be whole numbers"),
        (["a", "b"], [0, 1], InvalidSource, "must be whole numbers, it holds <U1"),
        (np.int64(5), [0], InvalidSource, "must have one number per row, its shape is ()"),
        ([[1, 2], [3, 4]], [0, 1], InvalidSource, "must have one number per row, its shape is (2, 2)"),
        ([1, 2], [-1, 1], InvalidSource, "must hold cluster ids from 0 to below 16777216, but they are from -1 to 1"),
        ([1, 2], [0, 2**40], InvalidSource, "must hold cluster ids from 0"),
        ([], [], UnreadableSource, "has no units"),
        ([10**15, 1], [0, 1], InvalidSource, "spike times must be finite seconds"),
    ],
)
def test_what_is_no_sorting_is_refused(phy_folder, refused, samples, clusters, error, words):
    refused(phy_folder(samples=samples, clusters=np.asarray(clusters, np.int64)), error, words)


def test_pickles_are_not_opened(phy_folder, refused):
    folder = phy_folder()
    np.save(folder / "spike_times.npy", np.array([1, None], object), allow_pickle=True)
    refused(folder, InvalidSource, "spike_times.npy must hold numbers or text, it holds Python objects")


@pytest.mark.parametrize("length", [0, 5, 60, 140])
def test_truncated_arrays_are_refused(phy_folder, refused, length):
    folder = phy_folder()
    path = folder / "spike_times.npy"
    path.write_bytes(path.read_bytes()[:length])
    refused(folder, UnreadableSource, "spike_times.npy is damaged: ")


def test_recorded_kilosort_output_is_read(shared_data):
    folder = shared_data / "kilosort" / "bombcell"
    assert PLUGIN.recognises(folder)
    with pytest.warns(NeuridWarning) as said:
        population = PLUGIN.read(folder, ReadOptions())
    assert [str(one.message).partition(": ")[0].rpartition("bombcell ")[2] for one in said] == [
        "does not state its sampling rate",
        "does not state how long it was recorded",
    ]
    assert len(population) == 15
    assert len(population.spikes.times_s) == 94_565
    stored = np.load(folder / "spike_times.npy").ravel() / 30_000
    np.testing.assert_array_equal(np.sort(population.spikes.times_s), np.sort(stored))

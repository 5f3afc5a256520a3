"""What a suite2p folder becomes: which ROIs, which traces, which time."""

import subprocess
import sys

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.suite2p import PLUGIN, rois


def read(source, **options):
    return PLUGIN.read(source, ReadOptions(**options))


@pytest.mark.parametrize("wanted", ["", "dff"])
def test_dff_is_the_default_and_its_definition(suite2p, plane, wanted):
    population = read(plane(), activity=wanted)
    files = suite2p.plane_files()
    expected = suite2p.dff_by_loops(files["F"], files["Fneu"], 0.7, 10.0, 601)
    assert population.activity.kind == "dff"
    np.testing.assert_allclose(population.activity.values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("since", ["settings_since_1", "settings_before_1"])
@pytest.mark.parametrize("name", ["settings", "ops"])
def test_the_baseline_is_that_of_the_settings(suite2p, plane, since, name):
    stated = getattr(suite2p, since)(fs=7.5, coefficient=0.5, window_s=4.0, sigma=3.0)
    population = read(plane(**{"settings": None, name: stated}))
    files = suite2p.plane_files()
    expected = suite2p.dff_by_loops(files["F"], files["Fneu"], 0.5, 3.0, 31)
    np.testing.assert_allclose(population.activity.values, expected, rtol=1e-5, atol=1e-6)
    assert population.activity.rate_hz == 7.5


def test_settings_count_before_ops(suite2p, plane):
    assert read(plane(ops=suite2p.settings_before_1(fs=3.0))).activity.rate_hz == suite2p.rate_hz


def test_fluorescence_is_corrected_for_neuropil(suite2p, plane):
    population = read(plane(), activity="fluorescence")
    files = suite2p.plane_files()
    assert population.activity.kind == "fluorescence"
    expected = files["F"].astype(float) - 0.7 * files["Fneu"].astype(float)
    np.testing.assert_array_equal(population.activity.values, expected.astype(np.float32))


def test_deconvolved_is_taken_as_it_is_and_needs_nothing_else(suite2p, plane):
    population = read(plane(F=None, Fneu=None), activity="deconvolved")
    assert population.activity.kind == "deconvolved"
    np.testing.assert_array_equal(population.activity.values, suite2p.plane_files()["spks"])


@pytest.mark.parametrize("kind", ["<i2", ">f4", "f8"])
def test_numbers_of_any_kind_will_do(suite2p, plane, kind):
    raw = suite2p.plane_files()["F"].astype(kind)
    population = read(plane(F=np.asfortranarray(raw), Fneu=np.zeros(raw.shape)), activity="fluorescence")
    np.testing.assert_array_equal(population.activity.values, raw.astype(np.float32))


def test_traces_do_not_depend_on_how_many_are_made_at_once(plane, monkeypatch):
    root = plane(units=7)
    expected = read(root).activity.values
    monkeypatch.setattr(rois, "SAMPLES_AT_ONCE", 2 * expected.shape[1])
    np.testing.assert_array_equal(read(root).activity.values, expected)


def test_one_plane_keeps_its_rows_as_ids(plane):
    root = plane(units=5, frames=200)
    population = read(root)
    assert population.unit_ids.tolist() == [0, 1, 2, 3, 4]
    assert population.group.tolist() == ["plane0"] * 5
    assert population.observed_s.tolist() == [[0, 20]]
    assert population.activity.start_s == 0
    assert population.positions_um is None
    assert population.source == str(root)
    assert not population.excluded
    assert not population.labels


@pytest.mark.parametrize("below", ["", "suite2p", "suite2p/plane0"])
def test_root_plane_and_what_holds_the_root_are_the_same(plane, below):
    recording = plane().parent
    population = read(str(recording / below))
    assert PLUGIN.recognises(recording / below)
    np.testing.assert_array_equal(population.activity.values, read(recording / "suite2p").activity.values)
    assert population.unit_ids.tolist() == [0, 1, 2, 3]


def test_rejected_rois_stay_as_excluded_rows(plane):
    root = plane(units=3, iscell=np.array([[1, 0.9], [0, 0.8], [1, 0.1]]))
    population = read(root)
    assert len(population) == 3
    assert population.excluded == {1: "not a cell (iscell.npy)"}
    everything = read(root, all_rois=True)
    assert not everything.excluded
    np.testing.assert_array_equal(everything.activity.values, population.activity.values)


def test_all_rois_asks_no_classifier(plane):
    assert not read(plane(iscell=None), all_rois=True).excluded


def test_without_a_classifier_all_are_cells(plane):
    root = plane(iscell=None)
    with pytest.warns(NeuridWarning, match=r"plane0.iscell\.npy is missing: all 4 ROIs are taken for cells\.$"):
        assert not read(root).excluded


def test_red_cells_are_a_label(plane):
    population = read(plane(units=3, redcell=np.array([[0, 0.1], [1, 0.9], [0, 0.6]])))
    assert population.labels["redcell"].tolist() == ["", "red", ""]


@pytest.mark.parametrize("activity", ["dff", "fluorescence", "deconvolved"])
def test_traces_that_are_none_are_excluded_with_the_reason(suite2p, plane, activity):
    raw, neuropil = suite2p.fluorescence(5, 300, 1)
    spikes = raw.copy()
    for traces in (raw, spikes):
        traces[0] = 7.0
        traces[1, 9] = np.nan
        traces[2, 9] = np.inf
    raw[3] -= 500
    population = read(plane(units=5, F=raw, Fneu=neuropil, spks=spikes), activity=activity)
    expected = {
        0: "its trace is constant",
        1: "its trace has values that are not finite",
        2: "its trace has values that are not finite",
    }
    if activity == "dff":
        expected[3] = "its raw fluorescence has no positive baseline, so dF/F is undefined"
    assert population.excluded == expected


def test_of_two_reasons_the_classifier_is_told(suite2p, plane):
    raw = suite2p.plane_files()["F"]
    raw[1] = 0
    root = plane(F=raw, iscell=np.array([[1, 1], [0, 0], [1, 1], [1, 1.0]]))
    assert read(root).excluded == {1: "not a cell (iscell.npy)"}
    assert read(root, all_rois=True).excluded == {1: "its trace is constant"}


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
        f"{root}: its planes differ in their frames (plane0 305, plane1 300); the first 300 of each are taken."
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
    (root / "plane0").rename(root.parent / "plane0")
    (root / "plane1").rename(root.parent / "plane1")
    assert PLUGIN.recognises(root)
    assert read(root).unit_ids.tolist()[-1] == "plane1/3"


def test_long_padding_of_combined_planes_is_told(planes):
    root = planes([300, 310], combined=True)
    with pytest.warns(NeuridWarning, match=r"its planes differ in their frames \(plane0 300, plane1 310\)"):
        assert read(root / "combined").activity.values.shape == (7, 300)


@pytest.mark.parametrize(("missing", "activity"), [("stat", "dff"), ("F", "deconvolved")])
def test_padding_that_cannot_be_told_is_told(planes, missing, activity):
    root = planes([300, 301], combined=True, **{missing: None})
    with pytest.warns(
        NeuridWarning, match=rf"combined has no {missing}\.npy: its ROIs are taken as one plane, and the"
    ):
        population = read(root / "combined", activity=activity)
    assert population.activity.values.shape == (7, 301)
    assert population.unit_ids.tolist() == list(range(7))


def test_corrections_in_the_combined_folder_are_told(planes):
    root = planes([300, 300], combined=True, iscell=np.tile([0.0, 0.2], (7, 1)))
    with pytest.warns(
        NeuridWarning, match=r"combined.iscell\.npy differs from the iscell\.npy of the planes in 7 ROIs"
    ):
        assert not read(root).excluded
    assert len(read(root / "combined").excluded) == 7
    assert not read(root, all_rois=True).excluded


def test_combined_cells_of_another_run_are_passed_over(planes):
    assert not read(planes([300, 300], combined=True, iscell=np.zeros((5, 2)))).excluded


def test_the_rate_of_the_user_counts(suite2p, plane):
    root = plane(settings=None)
    population = read(root, rate_hz=20.0)
    assert population.activity.rate_hz == 20.0
    assert population.observed_s.tolist() == [[0, 15]]
    files = suite2p.plane_files()
    expected = suite2p.dff_by_loops(files["F"], files["Fneu"], 0.7, 10.0, 1201)
    np.testing.assert_allclose(population.activity.values, expected, rtol=1e-5, atol=1e-6)


def test_a_disputed_rate_is_told(plane):
    root = plane()
    with pytest.warns(NeuridWarning) as told:
        assert read(root, rate_hz=30.0).activity.rate_hz == 30.0
    assert str(told[0].message) == (
        f"{root / 'plane0' / 'settings.npy'} has fs = 10, frames a second of one plane; 30 is taken, as --rate-hz says."
    )


def test_rates_that_agree_in_a_thousandth_are_no_dispute(plane):
    assert read(plane(), rate_hz=10.009).activity.rate_hz == 10.009


@pytest.mark.parametrize("fs", [-3.0, None, "ten"])
def test_the_rate_of_the_user_counts_where_the_settings_have_none(suite2p, plane, fs):
    assert read(plane(settings={**suite2p.settings_since_1(), "fs": fs}), rate_hz=30.0).activity.rate_hz == 30.0


@pytest.mark.parametrize("source", [None, 7, "", "no such folder", "a\0b", b"bytes", __file__, object()])
def test_other_sources_are_not_recognised(source):
    assert not PLUGIN.recognises(source)


def test_other_folders_are_not_recognised(tmp_path):
    (tmp_path / "plane0").mkdir()
    (tmp_path / "planes").mkdir()
    (tmp_path / "plane1.npy").touch()
    (tmp_path / "suite2p").touch()
    assert not PLUGIN.recognises(tmp_path)


def test_it_says_which_options_it_knows():
    assert PLUGIN.spec.options == {"all_rois", "activity", "rate_hz"}


def test_recognising_imports_nothing_heavy(plane):
    code = f"from nwb_neurid.readers.suite2p import PLUGIN; import sys; assert PLUGIN.recognises({str(plane())!r}); "
    code += "sys.exit(bool({'scipy', 'h5py', 'pickle', 'torch'} & (sys.modules.keys() - before)))"
    code = "import sys; import numpy; before = set(sys.modules); " + code
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

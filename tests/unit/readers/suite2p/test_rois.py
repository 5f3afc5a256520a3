"""What a suite2p folder becomes: which ROIs, which traces, which time."""

import subprocess
import sys

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, NeuridWarning
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
    with pytest.warns(NeuridWarning, match=r"plane0.iscell\.npy is missing, so all 4 ROIs count as cells\.$"):
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
        f"{root / 'plane0' / 'settings.npy'} has fs = 10 frames per second and plane, but --rate-hz 30 is used."
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
    assert PLUGIN.spec.options == {"all_rois", "activity", "rate_hz", "where"}


def test_recognising_imports_nothing_heavy(plane):
    code = f"from nwb_neurid.readers.suite2p import PLUGIN; import sys; assert PLUGIN.recognises({str(plane())!r}); "
    code += "sys.exit(bool({'scipy', 'h5py', 'pickle', 'torch'} & (sys.modules.keys() - before)))"
    code = "import sys; import numpy; before = set(sys.modules); " + code
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def stat(units=4, **parts):
    """As suite2p describes ROIs: ROI `n` has n + 1 pixels in a row."""
    return np.array(
        [
            {
                "xpix": np.arange(row + 1, dtype=np.int32),
                "ypix": np.full(row + 1, row, np.int64),
                "lam": np.full(row + 1, 0.5, np.float32),
                "npix": row + 1,
                "skew": np.float32(row / 2),
                "med": [row, 0],
                **parts,
            }
            for row in range(units)
        ],
        object,
    )


def test_masks_are_pixels_with_their_weights(plane):
    population = read(plane(stat=stat()))
    assert [len(mask) for mask in population.masks_px] == [1, 2, 3, 4]
    assert population.masks_px[2].tolist() == [[0, 2, 0.5], [1, 2, 0.5], [2, 2, 0.5]]
    assert population.positions_um is None
    assert [len(mask) for mask in population.select(np.array([3, 1])).masks_px] == [4, 2]


@pytest.mark.parametrize(
    "parts",
    [{"lam": np.ones(9)}, {"xpix": None}, {"lam": np.ones((2, 2))}, {"xpix": np.array([np.nan])}, {"ypix": [1, 2]}],
)
def test_an_roi_whose_mask_is_damaged_has_none(plane, parts):
    population = read(plane(stat=stat(**parts)))
    assert [len(mask) for mask in population.masks_px] == [0] * 4


def test_masks_of_planes_are_in_their_order(suite2p, tmp_path):
    for number, own in enumerate([stat(), None, stat(2)]):
        suite2p.write(tmp_path / f"plane{number}", suite2p.plane_files(units=2 if number == 2 else 4, stat=own))
    masks = read(tmp_path).masks_px
    assert [len(mask) for mask in masks] == [1, 2, 3, 4, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("iscell", {0, 2}),
        ("iscell == 0", {1, 3}),
        ("npix >= 3", {2, 3}),
        ("skew < 1 and iscell", {0}),
        ("plane == 'plane0' and id != 0", {1, 2, 3}),
        ("redcell", {3}),
        ("all", {0, 1, 2, 3}),
    ],
)
def test_rois_are_selected_by_their_columns(plane, where, rows):
    flags = {"iscell": np.array([[1, 0.9], [0, 0.1], [1, 0.8], [0, 0.2]]), "redcell": np.eye(4)[:, 2:][:, ::-1]}
    population = read(plane(stat=stat(), **flags), where=where)
    assert population.excluded == dict.fromkeys(sorted({0, 1, 2, 3} - rows), f"not selected by --where {where}")


def test_a_condition_names_the_columns_that_there_are(plane):
    with pytest.raises(
        InvalidOption, match=r"plane0 has no column snr with one value per row. It has: id, iscell, plane\.$"
    ):
        read(plane() / "plane0", where="snr > 2")


def test_a_verdict_that_rejects_every_roi_is_none(plane):
    root = plane(iscell=np.zeros((4, 2)))
    with pytest.warns(NeuridWarning, match="iscell.npy rejects every ROI, so it is ignored and all 4 are kept"):
        assert not read(root).excluded


@pytest.mark.parametrize(
    ("activity", "note"),
    [
        (
            "dff",
            "dF/F was computed from F.npy with 0.7 times the neuropil (Fneu.npy) subtracted, over its maximin baseline "
            "(60 s after a Gaussian of 10 frames), with 0.32 of the baseline of F.npy as its lower limit.",
        ),
        ("fluorescence", "Fluorescence is F.npy with 0.7 times the neuropil (Fneu.npy) subtracted."),
        ("deconvolved", "Deconvolved activity is that of suite2p (spks.npy), in arbitrary units."),
    ],
)
def test_how_the_activity_was_computed_is_noted(plane, activity, note):
    assert read(plane(), activity=activity).notes == (note,)

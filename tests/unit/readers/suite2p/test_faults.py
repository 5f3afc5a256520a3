"""Folders that cannot be read: one line each, that names the file."""

import warnings

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridError, NeuridWarning, UnreadableSource
from nwb_neurid.population import Population
from nwb_neurid.readers.suite2p import PLUGIN

FILES = ("F", "Fneu", "iscell", "settings", "redcell")


def read(source, **options):
    return PLUGIN.read(source, ReadOptions(**options))


def message(source, error, **options):
    with pytest.raises(error) as raised:
        read(source, **options)
    assert type(raised.value) is error
    text = str(raised.value)
    assert "\n" not in text
    return text


def refused(*_, **__):
    raise PermissionError(13, "Permission denied")


def settings(**parts):
    return {"fs": 10.0, **parts}


TRACES = np.random.default_rng(0).normal(100, 5, (4, 300)).astype(np.float32)

FAULTS = [
    ({"F": None}, UnreadableSource, "F.npy is missing. Copy it from where suite2p wrote it"),
    ({"Fneu": None}, UnreadableSource, "Fneu.npy is missing."),
    ({"F": b""}, UnreadableSource, "F.npy is damaged: "),
    ({"F": b"\x93NUMPY\x01\x00"}, UnreadableSource, "F.npy is damaged: "),
    ({"F": b"version https://git-lfs"}, UnreadableSource, "F.npy is damaged: the magic string is not correct"),
    ({"F": TRACES[0]}, InvalidSource, "F.npy must have shape (ROIs, frames), got (300,). Run suite2p again."),
    ({"F": TRACES[None]}, InvalidSource, "F.npy must have shape (ROIs, frames), got (1, 4, 300)."),
    ({"F": TRACES.astype(object)}, InvalidSource, "F.npy must hold numbers or text, it holds Python objects."),
    ({"F": TRACES.astype(complex)}, InvalidSource, "F.npy must hold numbers, it holds complex128."),
    ({"F": TRACES.astype(str)}, InvalidSource, "F.npy must hold numbers, it holds <U32."),
    ({"Fneu": TRACES[:, :-1]}, InvalidSource, "Fneu.npy has 4 ROIs and 299 frames, but F.npy has 4 and 300"),
    ({"Fneu": TRACES[1:]}, InvalidSource, "Fneu.npy has 3 ROIs and 300 frames, but F.npy has 4 and 300"),
    ({"F": TRACES[:0], "Fneu": TRACES[:0], "iscell": np.ones((0, 2))}, UnreadableSource, "plane0 has no ROIs: "),
    ({"F": TRACES[:, :0], "Fneu": TRACES[:, :0]}, UnreadableSource, "plane0 has no frames: its traces have no columns"),
    ({"settings": None}, UnreadableSource, "settings.npy is missing, and so is ops.npy. Pass --rate-hz"),
    ({"settings": {}}, UnreadableSource, "The frame rate is unknown: "),
    ({"settings": {}}, UnreadableSource, "settings.npy has no fs. Pass --rate-hz"),
    (
        {"settings": settings(fs=0.0)},
        InvalidSource,
        "settings.npy: fs must be from 0.01 to 10000 frames per second, got 0.",
    ),
    ({"settings": settings(fs=-10)}, InvalidSource, "frames per second, got -10. Pass --rate-hz"),
    ({"settings": settings(fs=np.nan)}, InvalidSource, "frames per second, got nan."),
    ({"settings": settings(fs=np.inf)}, InvalidSource, "frames per second, got inf."),
    ({"settings": settings(fs=10**400)}, InvalidSource, "frames per second, got a number of more than 300 digits."),
    (
        {"settings": settings(neucoeff=10**400)},
        InvalidSource,
        "neucoeff must be from 0 to 10, got a number of more",
    ),
    ({"settings": settings(fs="10")}, InvalidSource, "frames per second, got '10'."),
    ({"settings": settings(neucoeff=-1)}, InvalidSource, "settings.npy: neucoeff must be from 0 to 10, got -1."),
    (
        {"settings": settings(extraction={"neuropil_coefficient": np.nan})},
        InvalidSource,
        "settings.npy: extraction.neuropil_coefficient must be from 0 to 10, got nan. Correct it.",
    ),
    (
        {"settings": settings(dcnv_preprocess={"win_baseline": [60]})},
        InvalidSource,
        "settings.npy: dcnv_preprocess.win_baseline must be from 0 to 1e+06, got a list.",
    ),
    (
        {"settings": None, "ops": settings(sig_baseline=1e9)},
        InvalidSource,
        "ops.npy: sig_baseline must be from 0 to 10000",
    ),
    ({"settings": np.ones(3)}, InvalidSource, "settings.npy must hold Python objects, it holds numbers."),
    ({"settings": np.array([{}, {}])}, InvalidSource, "settings.npy must hold one dict of settings, it does not."),
    ({"settings": np.array([1, None])}, InvalidSource, "settings.npy must hold one dict of settings, it does not."),
    ({"settings": b""}, UnreadableSource, "settings.npy is damaged: cannot mmap an empty file. Copy it again"),
]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(("replaced", "error", "text"), FAULTS, ids=[text[:40] for _, _, text in FAULTS])
def test_a_fault_of_a_file_is_told_in_one_line(suite2p, tmp_path, replaced, error, text):
    suite2p.write(tmp_path / "plane0", {**suite2p.plane_files(), **replaced})
    told = message(tmp_path, error)
    assert text in told
    assert str(tmp_path / "plane0") in told


@pytest.mark.parametrize("name", ["F", "Fneu"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_the_wrong_size_is_damaged(plane, name, change):
    root = plane()
    path = root / "plane0" / f"{name}.npy"
    contents = path.read_bytes()
    path.write_bytes(contents[:change] if change < 0 else contents + b"\0" * change)
    told = message(root, UnreadableSource)
    assert told.startswith(f"{path} is damaged: ")
    assert told.endswith("Copy it from where suite2p wrote it, or run suite2p again.")


def test_spikes_of_another_run_are_told(plane):
    told = message(plane(spks=TRACES[:, :7]), InvalidSource, activity="deconvolved")
    assert "spks.npy has 4 ROIs and 7 frames, but F.npy has 4 and 300: they come from different runs." in told


def test_missing_spikes_are_told(plane):
    assert "spks.npy is missing." in message(plane(spks=None), UnreadableSource, activity="deconvolved")


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, np.nan, np.inf, 1e9])
def test_a_rate_of_the_user_that_is_none_is_told(plane, rate_hz):
    told = message(plane(), InvalidOption, rate_hz=rate_hz)
    assert told == f"--rate-hz must be from 0.01 to 10000 Hz, got {rate_hz:g}."


def test_an_activity_that_suite2p_has_not_is_told(plane):
    told = message(plane(), InvalidOption, activity="spikes")
    assert told == "suite2p folders hold dff, fluorescence, deconvolved, not 'spikes'. Choose one of them."


def test_planes_of_different_rates_are_told(suite2p, tmp_path):
    for number, fs in enumerate([10.0, 10.0, 5.0]):
        files = suite2p.plane_files(settings=suite2p.settings_since_1(fs=fs))
        suite2p.write(tmp_path / f"plane{number}", files)
    told = message(tmp_path, InvalidSource)
    paths = [tmp_path / f"plane{number}" / "settings.npy" for number in range(3)]
    assert told.startswith(f"{paths[2]} has fs = 5, {paths[0]} has 10: planes that were recorded together")


@pytest.mark.parametrize(
    ("stat", "known"),
    [
        ([{"iplane": 0}] * 3, "it has 3 ROIs and states the plane of 3."),
        ([{"iplane": 0}, {"med": 1}, {}, None], "it has 4 ROIs and states the plane of 1."),
        ([{"iplane": -1}] * 4, "it has 4 ROIs and states the plane of 0."),
        ([{"iplane": 2**70}] * 4, "it has 4 ROIs and states the plane of 0."),
    ],
)
def test_combined_rois_of_unknown_planes_are_told(suite2p, tmp_path, stat, known):
    files = suite2p.plane_files(stat=np.array(stat, object))
    told = message(suite2p.write(tmp_path / "combined", files), InvalidSource)
    assert told.startswith(f"{tmp_path / 'combined' / 'stat.npy'} must state the plane (iplane) of each of 4 ROIs, ")
    assert known in told


def test_combined_rois_out_of_order_are_told(suite2p, tmp_path):
    files = suite2p.plane_files(stat=np.array([{"iplane": number} for number in (0, 1, 0, 1)], object))
    told = message(suite2p.write(tmp_path / "combined", files), InvalidSource)
    assert "stat.npy must list the ROIs plane after plane, but does not." in told


def test_combined_planes_without_rois_are_told(suite2p, tmp_path):
    files = suite2p.plane_files(units=0, stat=np.array([], object))
    assert "combined has no ROIs: " in message(suite2p.write(tmp_path / "combined", files), UnreadableSource)


def test_a_folder_that_may_not_be_looked_into_is_not_recognised(plane, monkeypatch):
    root = plane()

    monkeypatch.setattr("pathlib.Path.iterdir", refused)
    assert not PLUGIN.recognises(root)


def test_a_file_that_may_not_be_read_is_told(plane, monkeypatch):
    root = plane()

    monkeypatch.setattr("nwb_neurid.readers.npy.open_regular", refused)
    assert message(root, UnreadableSource).startswith(f"{root / 'plane0' / 'F.npy'} cannot be read: Permission denied.")


EXTRAS = [
    ("iscell", np.ones((3, 2)), "iscell.npy must have shape (4, 2), one row for each ROI"),
    ("iscell", np.ones(4), "iscell.npy must have shape (4, 2)"),
    ("iscell", np.full((4, 2), 0.5), "iscell.npy must have 0 or 1 in its first column"),
    ("iscell", np.full((4, 2), np.nan), "iscell.npy must have 0 or 1 in its first column"),
    ("iscell", np.array([{}] * 4), "iscell.npy must hold numbers or text, it holds Python objects"),
    ("iscell", b"\x93NUMPY", "iscell.npy is damaged"),
    ("redcell", np.ones((4, 1)), "redcell.npy must have shape (4, 2)"),
    ("stat", np.array([{}] * 3), "stat.npy must hold one dict for each of 4 ROIs, it has 3."),
    ("stat", np.array([{}, {}, {}, 1]), "stat.npy must hold one dict for each of 4 ROIs, it has 4."),
    ("stat", np.ones(4), "stat.npy must hold Python objects, it holds numbers"),
    ("stat", b"", "stat.npy is damaged"),
]


@pytest.mark.parametrize(("name", "stands", "why"), EXTRAS)
def test_what_serves_verdicts_and_masks_alone_is_left_out(suite2p, tmp_path, name, stands, why):
    suite2p.write(tmp_path / "plane0", {**suite2p.plane_files(), name: stands})
    with pytest.warns(NeuridWarning) as warned:
        population = read(tmp_path)
    (told,) = [str(one.message) for one in warned]
    assert why in told
    assert told.startswith(f"{tmp_path}: some data cannot be used and are left out:\n  - ")
    assert len(population) == 4
    assert population.masks_px is None


@pytest.mark.usefixtures("without_shape_checks")
def test_whatever_is_damaged_is_read_or_refused(suite2p, tmp_path):
    """300 folders with bytes flipped, cut, doubled or dropped somewhere."""
    rng = np.random.default_rng(0)
    redcell = np.column_stack([np.arange(3) % 2, np.ones(3)])
    folder = suite2p.write(tmp_path / "plane0", suite2p.plane_files(units=3, frames=40, redcell=redcell))
    sound = {name: (folder / f"{name}.npy").read_bytes() for name in FILES}
    told = []
    for _ in range(300):
        name = str(rng.choice(FILES))
        contents = bytearray(sound[name])
        reach = len(contents) if rng.random() < 0.3 else min(len(contents), 300)  # headers and settings above all
        start, length = rng.integers(reach), rng.integers(1, 9)
        match rng.integers(4):
            case 0:
                contents[start] ^= 1 << rng.integers(8)
            case 1:
                contents[start : start + length] = rng.bytes(length)
            case 2:
                del contents[start : start + length]
            case _:
                contents[start:start] = contents[start : start + length]
        (folder / f"{name}.npy").write_bytes(contents)
        try:
            with warnings.catch_warnings(record=True):
                warnings.simplefilter("always")
                assert isinstance(read(tmp_path), Population)
        except NeuridError as error:
            told.append(str(error))
        (folder / f"{name}.npy").write_bytes(sound[name])
    assert len(told) > 100
    assert not [text for text in told if not text.isprintable() or len(text) > 600]

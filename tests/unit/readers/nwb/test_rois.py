"""What a PlaneSegmentation says of its ROIs: cells, labels, and places in micrometres."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.nwb import masks

TABLE, PLANE = "processing/ophys/ImageSegmentation/plane", "general/optophysiology/V1 deep"
PIXELS = np.array(
    [(10, 20, 1.0), (12, 20, 3.0), (0, 0, 1.0), (4, 8, 0.5), (5, 5, 0.0)],
    [(name, "f4") for name in ("x", "y", "weight")],
)


@pytest.fixture
def one(rois, noise):
    """Five ROIs of a plane with pixels of 2 by 1 µm; the third has no mask, the last one of no weight."""
    return {
        **rois(noise),
        f"{PLANE}/location": "VISp",
        f"{PLANE}/grid_spacing": [2.0, 1.0],
        f"{PLANE}/grid_spacing@unit": "micrometers",
        f"{TABLE}/imaging_plane": h5py.SoftLink(f"/{PLANE}"),
        f"{TABLE}/pixel_mask": PIXELS,
        f"{TABLE}/pixel_mask_index": [2, 3, 3, 4, 5],
    }


CENTROIDS = np.array([[23, 20, 0], [0, 0, 0], [np.nan] * 3, [8, 8, 0], [np.nan] * 3])


@pytest.mark.parametrize("name", ["iscell", "is_cell", "valid_roi", "Accepted", "accepted"])
@pytest.mark.parametrize(
    "verdict",
    [
        [1, 0, 1, 0, 1],
        [[1], [0], [1], [0], [1]],
        [[1, 0.9], [0, 0.8], [1, 0.1], [0, 0.2], [1, 0.5]],
        [True, False, True, False, True],
        [1.0, np.nan, 1.0, 0.0, 1.0],
    ],
)
def test_what_is_no_cell_is_left_out(read, hdf5, one, name, verdict):
    path = hdf5({**one, f"{TABLE}/{name}": verdict})
    why = f"{name} marks it as not a cell; --all-rois includes it"
    assert read(path).excluded == {1: why, 3: why}
    assert not read(path, all_rois=True).excluded


@pytest.mark.parametrize("verdict", [{"iscell": np.zeros((5, 2))}, {"Accepted": [False] * 5, "keep": [0, 0, 0, 0, 0]}])
def test_a_verdict_that_rejects_everything_is_none(read, hdf5, one, verdict):
    path = hdf5({**one, **{f"{TABLE}/{name}": values for name, values in verdict.items()}})
    name = next(iter(verdict))
    with pytest.warns(NeuridWarning) as warned:
        assert not read(path).excluded
    assert [str(one.message) for one in warned] == [
        f"{path}: {name} rejects every ROI, so it is ignored and all ROIs are kept."
    ]
    assert len(read(path, all_rois=True)) == 5


@pytest.mark.parametrize(
    ("verdicts", "rejected"),
    [
        ({"accepted": [False] * 5, "rejected": [False] * 5, "keep": [True, True, False, True, False]}, {2, 4}),
        ({"accepted": [False] * 5, "rejected": [True, False, False, True, True]}, {0, 3, 4}),
        ({"Accepted": [1, 0, 1, 1, 1], "Rejected": [0, 1, 1, 1, 0]}, {1}),
        ({"rejected": [False] * 5}, set()),
        ({"Rejected": [0, 1, 0, 0, 0]}, {1}),
        ({"accepted": [True] * 5, "keep": [1, 1, 1, 0, 1]}, {3}),
        ({"is_accepted": [1, 1, 1, 0, 1]}, {3}),
        ({"isNeuron": [True, True, False, True, True]}, {2}),
        ({"discarded": [0, 0, 0, 1, 0]}, {3}),
        ({"cell": [0, 1, 2, 3, 4]}, set()),
        ({"iscell": [0.9, 0.6, 0.2, 0.8, 0.4]}, {2, 4}),
        ({"accepted": ["True", "False", "True", "True", "False"]}, {1, 4}),
        ({"status": ["accepted", "rejected", "accepted", "Rejected", "accepted"]}, {1, 3}),
        ({"classification": ["cell", "not a cell", "cell", "artifact", "cell"]}, {1, 3}),
        ({"roi_type": ["neuron", "neuron", "background", "neuron", "neuropil"]}, {2, 4}),
        ({"status": ["dim", "bright", "dim", "bright", "dim"]}, set()),
    ],
)
def test_of_several_verdicts_one_that_was_given_counts(read, hdf5, one, verdicts, rejected):
    path = hdf5({**one, **{f"{TABLE}/{name}": values for name, values in verdicts.items()}})
    assert read(path).excluded.keys() == rejected


def test_a_plane_without_cells_beside_one_with_cells_has_none(read, hdf5, rois, noise):
    tables = {name: f"processing/ophys/ImageSegmentation/{name}/iscell" for name in ("upper", "lower")}
    contents = {
        **rois(noise[:, :3], "processing/ophys/DfOverF/upper", table="upper"),
        **rois(noise[:, 3:], "processing/ophys/DfOverF/lower", table="lower"),
        tables["upper"]: [0, 0, 0],
        tables["lower"]: [1, 0],
    }
    assert len(read(hdf5(contents)).excluded) == 4


@pytest.mark.parametrize("shape", [(4,), (5, 3), (5, 1, 1), ()])
def test_verdicts_that_fit_no_rows_are_left_out(read, hdf5, one, shape):
    path = hdf5({**one, f"{TABLE}/iscell": np.ones(shape)})
    with pytest.warns(NeuridWarning) as warned:
        assert not read(path).excluded
    assert [str(one.message) for one in warned] == [
        f"{path}: some data cannot be used and are left out:\n  - {path}: /{TABLE}/iscell must have one verdict for "
        "each of 5 "
        f"ROIs, or a verdict and its probability, its shape is {shape}. Validate the file."
    ]


def test_the_region_is_that_of_the_plane(read, hdf5, one):
    population = read(hdf5(one))
    assert {name: values.tolist() for name, values in population.labels.items()} == {"brain_region": ["VISp"] * 5}
    assert population.group.tolist() == ["V1 deep"] * 5


@pytest.mark.parametrize("location", ["unknown", "", "V1?", None, 3.0])
def test_a_region_that_is_not_known_is_no_label(read, hdf5, one, location):
    labels = read(hdf5({**one, f"{PLANE}/location": location})).labels
    assert ("brain_region" in labels) == (location == "V1?")


def test_columns_of_text_are_labels(read, hdf5, one):
    one |= {f"{TABLE}/cell_type": ["PV", "", "SST", "unknown", "PV"], f"{TABLE}/area": [1, 2, 3, 4, 5]}
    one[f"{TABLE}/location"] = ["L2", "L2", "L4", "L4", ""]
    labels = read(hdf5(one)).labels
    assert labels.keys() == {"cell_type", "location", "brain_region"}
    assert labels["cell_type"].tolist() == ["PV", "", "SST", "", "PV"]
    assert labels["brain_region"].tolist() == ["L2", "L2", "L4", "L4", ""]


def test_labels_of_planes_are_joined(read, hdf5, rois, noise, one):
    other = rois(noise[:, :2], "processing/ophys/DfOverF/upper", table="upper")
    population = read(hdf5({**one, **other, "processing/ophys/ImageSegmentation/upper/cell_type": ["PV", "SST"]}))
    assert population.labels["cell_type"].tolist() == [""] * 5 + ["PV", "SST"]
    assert population.labels["brain_region"].tolist() == ["VISp"] * 5 + [""] * 2
    np.testing.assert_allclose(population.positions_um, np.r_[CENTROIDS, np.full((2, 3), np.nan)])
    assert population.group.tolist() == ["V1 deep"] * 5 + ["upper"] * 2


def test_positions_are_centroids(read, hdf5, one):
    np.testing.assert_allclose(read(hdf5(one)).positions_um, CENTROIDS)


@pytest.mark.parametrize(
    ("unit", "spacing"),
    [
        ("micrometers", [2.0, 1.0]),
        ("microns", [2.0, 1.0]),
        ("um", [2.0, 1.0]),
        ("\N{MICRO SIGN}m", [2.0, 1.0]),
        ("\N{GREEK SMALL LETTER MU}m", [2.0, 1.0]),
        ("Meters", [2e-6, 1e-6]),
        (None, [2e-6, 1e-6]),
        ("mm", [2e-3, 1e-3]),
        ("nm", [2000, 1000]),
        ("um", [2.0, 1.0, 5.0]),
    ],
)
def test_pixels_may_be_told_in_any_unit_of_length(read, hdf5, one, unit, spacing):
    one |= {f"{PLANE}/grid_spacing": spacing, f"{PLANE}/grid_spacing@unit": unit}
    np.testing.assert_allclose(read(hdf5(one)).positions_um, CENTROIDS, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {f"{PLANE}/grid_spacing": None, f"{PLANE}/grid_spacing@unit": None},
        {f"{PLANE}/grid_spacing@unit": None},
        {f"{PLANE}/grid_spacing@unit": "pixels"},
        {f"{PLANE}/grid_spacing": [0.0, 0.0]},
        {f"{PLANE}/grid_spacing": [np.nan, 1.0]},
        {f"{PLANE}/grid_spacing": [2.0]},
        {f"{PLANE}/grid_spacing": "2 um"},
        {f"{TABLE}/imaging_plane": None},
        {f"{TABLE}/imaging_plane": h5py.SoftLink("/nowhere")},
        {f"{TABLE}/pixel_mask": None, f"{TABLE}/pixel_mask_index": None},
        {f"{TABLE}/pixel_mask": np.ones((5, 3))},
        {f"{TABLE}/pixel_mask": np.zeros(5, [("x", "f4"), ("weight", "f4")])},
    ],
    ids=[
        "no pixel",
        "in metres",
        "no length",
        "zero",
        "NaN",
        "one",
        "text",
        "no plane",
        "nowhere",
        "no mask",
        "no list",
        "no y",
    ],
)
def test_without_lengths_or_masks_no_place_is_known(read, hdf5, one, change):
    assert read(hdf5({**one, **change})).positions_um is None


def test_the_origin_of_the_plane_is_added(read, hdf5, one):
    origin = {f"{PLANE}/origin_coords": [1.0, 0.0, -0.3], f"{PLANE}/origin_coords@unit": "mm"}
    np.testing.assert_allclose(
        read(hdf5({**one, **origin})).positions_um, CENTROIDS + np.array([1000, 0, -300]), rtol=1e-6
    )


def test_voxels_have_a_depth(read, hdf5, one):
    voxels = np.zeros(5, [("x", "u4"), ("y", "u4"), ("z", "u4"), ("weight", "f4")])
    voxels["x"], voxels["z"], voxels["weight"] = [1, 3, 5, 7, 9], [0, 1, 2, 3, 4], 1.0
    one |= {f"{TABLE}/pixel_mask": None, f"{TABLE}/pixel_mask_index": None, f"{TABLE}/voxel_mask": voxels}
    one |= {f"{TABLE}/voxel_mask_index": [1, 2, 3, 4, 5]}
    assert read(hdf5(one)).positions_um is None
    positions = read(hdf5({**one, f"{PLANE}/grid_spacing": [2.0, 1.0, 10.0]})).positions_um
    np.testing.assert_allclose(positions, np.column_stack([[2, 6, 10, 14, 18], np.zeros(5), [0, 10, 20, 30, 40]]))


@given(shape=st.tuples(st.integers(1, 6), st.integers(1, 6)), at_once=st.integers(1, 60), seed=st.integers(0, 99))
def test_images_and_lists_of_pixels_say_the_same(hdf5_session, shape, at_once, seed):
    from nwb_neurid.readers.nwb.hdf5 import Hdf5Group
    from nwb_neurid.readers.nwb.table import Table

    rng = np.random.default_rng(seed)
    images = rng.uniform(size=(4, *shape)) * (rng.uniform(size=(4, *shape)) < 0.6)
    roi, x, y = np.nonzero(images)
    pixels = np.zeros(len(x), [("x", "u4"), ("y", "u4"), ("weight", "f8")])
    pixels["x"], pixels["y"], pixels["weight"] = x, y, images[roi, x, y]
    contents = {
        "images/id": range(4),
        "images/image_mask": images,
        "lists/id": range(4),
        "lists/pixel_mask": pixels,
        "lists/pixel_mask_index": np.cumsum(np.bincount(roi, minlength=4)),
    }
    with h5py.File(hdf5_session[0](contents)) as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks, "PIXELS_AT_ONCE", at_once)
        tables = [Table(Hdf5Group(file, "a file").group(name)) for name in ("images", "lists")]
        by_image, by_list = (masks.centroids_px(table, 2) for table in tables)
    np.testing.assert_allclose(by_image, by_list, rtol=1e-9)
    assert np.all(np.isnan(by_image) | ((by_image >= 0) & (by_image < shape)))


@pytest.mark.parametrize(
    "images", [np.ones((4, 3, 3)), np.ones((5, 3)), np.ones((5, 2, 2, 2)), np.full((5, 2, 2), "x")]
)
def test_images_that_fit_no_rois_are_no_masks(read, hdf5, one, images):
    one |= {
        f"{TABLE}/pixel_mask": None,
        f"{TABLE}/pixel_mask_index": None,
        f"{TABLE}/image_mask": images.astype("S") if images.dtype.kind == "U" else images,
    }
    assert read(hdf5(one)).positions_um is None

"""The same traces of the same ROIs are the same population, through NWB and through suite2p."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation
from pynwb.testing.mock.ophys import mock_ImagingPlane

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.readers.nwb import PLUGIN as NWB
from nwb_neurid.readers.suite2p import PLUGIN as SUITE2P

CONTAINERS = {
    "dff": lambda: DfOverF(),
    "fluorescence": lambda: Fluorescence(),
    "deconvolved": lambda: Fluorescence(name="Deconvolved"),
}
NEUROPIL = 0.7  # what suite2p subtracts where its settings do not say


@st.composite
def recordings(draw):
    """Frame rate, raw traces, neuropil, deconvolved traces and the verdict on each ROI, plane by plane."""
    rate_hz = draw(st.sampled_from([1.0, 7.5, 15.04, 30.0, 31.25]))
    frames = draw(st.integers(3, 200))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    planes = []
    for _ in range(draw(st.integers(1, 3))):
        units = draw(st.integers(1, 4))
        raw, neuropil, spikes = rng.random((3, units, frames), np.float32) * 100
        planes.append(
            (raw + 100, neuropil, spikes, np.array(draw(st.lists(st.booleans(), min_size=units, max_size=units))))
        )
    planes[0][3][0] = True  # of a recording without a cell there is nothing to read
    return rate_hz, planes


def through_suite2p(rate_hz, planes, options):
    with tempfile.TemporaryDirectory() as root:
        for number, (raw, neuropil, spikes, cell) in enumerate(planes):
            folder = Path(root) / f"plane{number}"
            folder.mkdir()
            verdict = np.column_stack([cell, np.full(len(cell), 0.5)])
            for name, values in (("F", raw), ("Fneu", neuropil), ("spks", spikes), ("iscell", verdict)):
                np.save(folder / f"{name}.npy", values)
        return SUITE2P.read(root, options(rate_hz=rate_hz))


def through_nwb(rate_hz, planes, traces, kind, options):
    """As a pipeline writes it: the traces of each plane beside its segmentation, with the verdict as a column."""
    nwbfile = NWBFile("traces", "traces", datetime(2024, 1, 1, tzinfo=UTC))
    module = nwbfile.create_processing_module("ophys", "traces")
    segmentation = ImageSegmentation()
    container = CONTAINERS[kind]()
    module.add([segmentation, container])
    for number, (*_, cell) in enumerate(planes):
        plane = mock_ImagingPlane(name=f"plane{number}", nwbfile=nwbfile)
        rois = segmentation.create_plane_segmentation("ROIs", plane, f"rois{number}")
        rois.add_column("iscell", "1 for a cell, and how probable that is")
        for verdict in cell:
            rois.add_roi(image_mask=np.ones((2, 2)), iscell=[float(verdict), 0.5])
        container.create_roi_response_series(
            name=f"traces{number}",
            data=traces[number].T,
            rois=rois.create_roi_table_region("all", region=list(range(len(cell)))),
            unit="n.a.",
            rate=rate_hz,
            starting_time=0.0,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.nwb"
        with NWBHDF5IO(path, "w") as io:
            io.write(nwbfile)
        return NWB.read(path, options())


def assert_same(population, expected):
    assert population.activity.kind == expected.activity.kind
    np.testing.assert_array_equal(population.activity.values, expected.activity.values)
    assert population.activity.rate_hz == expected.activity.rate_hz
    assert population.activity.start_s == expected.activity.start_s == 0
    np.testing.assert_allclose(population.observed_s, expected.observed_s, rtol=0, atol=1e-9)
    assert population.excluded.keys() == expected.excluded.keys()
    assert population.group.tolist() == expected.group.tolist()


@settings(max_examples=25)
@given(recording=recordings(), kind=st.sampled_from(["dff", "fluorescence", "deconvolved"]), all_rois=st.booleans())
def test_readers_agree_on_traces(recording, kind, all_rois):
    rate_hz, planes = recording

    def options(**more):
        return ReadOptions(activity=kind, all_rois=all_rois, **more)

    expected = through_suite2p(rate_hz, planes, options)
    ends = np.cumsum([len(cell) for *_, cell in planes])[:-1]
    traces = {
        "deconvolved": [spikes for _, _, spikes, _ in planes],
        "fluorescence": [(raw - NEUROPIL * neuropil.astype(float)).astype(np.float32) for raw, neuropil, *_ in planes],
        "dff": np.split(expected.activity.values, ends),
    }[kind]
    assert_same(through_nwb(rate_hz, planes, traces, kind, options), expected)
    cells = np.concatenate([cell for *_, cell in planes])
    assert sorted(expected.excluded) == ([] if all_rois else np.flatnonzero(~cells).tolist())

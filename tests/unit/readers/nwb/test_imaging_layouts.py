"""Imaging files written by PyNWB in the layouts of the tools and data sets that are about."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, NeuridWarning

SAMPLES = 60

pytestmark = pytest.mark.filterwarnings("ignore:The linked table:UserWarning")  # PyNWB's, until all is in one file


def traces(count, seed=0):
    return np.random.default_rng(seed).normal(size=(SAMPLES, count)).astype(np.float32)


def add_plane(nwbfile, name="V1", **parts):
    """An imaging plane, as PyNWB makes it."""
    from pynwb.ophys import OpticalChannel

    device = nwbfile.devices.get("scope") or nwbfile.create_device("scope")
    channel = OpticalChannel(name="green", description="green", emission_lambda=510.0)
    parts = {"location": "VISp", "indicator": "GCaMP6f", **parts}
    return nwbfile.create_imaging_plane(
        name=name, optical_channel=channel, description="a plane", device=device, excitation_lambda=920.0, **parts
    )


def add_to_ophys(nwbfile, *containers):
    module = nwbfile.processing.get("ophys") or nwbfile.create_processing_module("ophys", "imaging")
    for container in containers:
        module.add(container)


def series(name, data, region, **clock):
    from pynwb.ophys import RoiResponseSeries

    clock = clock or {"rate": 15.0, "starting_time": 0.0}
    return RoiResponseSeries(name=name, data=data, rois=region, unit="a.u.", **clock)


def test_suite2p(write, read):
    """One table for all planes, `iscell` with its probability, voxels, series named after planes, neuropil beside."""
    from pynwb.ophys import Fluorescence, ImageSegmentation

    counts, raw = (3, 4), traces(7)
    spikes = np.abs(traces(7, seed=1))
    verdict = np.column_stack([[1, 0, 1, 1, 0, 1, 1], np.linspace(0, 1, 7)])

    def fill(nwbfile):
        segmentation = ImageSegmentation(name="ImageSegmentation")
        table = segmentation.create_plane_segmentation(
            name="PlaneSegmentation", description="suite2p output", imaging_plane=add_plane(nwbfile)
        )
        for roi in range(7):
            table.add_roi(voxel_mask=[(roi, 2 * roi, 0 if roi < 3 else 1, 1.0)])
        table.add_column("iscell", "two columns - iscell & probcell", verdict)
        add_to_ophys(nwbfile, segmentation)
        for name, values in (("Fluorescence", raw), ("Neuropil", 0 * raw + 9), ("Deconvolved", spikes)):
            container = Fluorescence(name=name)
            first = 0
            for plane, count in enumerate(counts):
                rows = list(range(first, first + count))
                region = table.create_roi_table_region(region=rows, description=f"ROIs for plane{plane}")
                container.add_roi_response_series(series(f"plane{plane}", values[:, rows], region))
                first += count
            add_to_ophys(nwbfile, container)

    path = write(fill)
    population = read(path)
    assert population.activity.kind == "fluorescence"
    np.testing.assert_array_equal(population.activity.values, raw.T)
    assert population.group.tolist() == ["plane0"] * 3 + ["plane1"] * 4
    assert population.excluded.keys() == {1, 4}
    assert population.unit_ids.tolist() == list(range(7))
    assert population.labels["brain_region"].tolist() == ["VISp"] * 7
    np.testing.assert_array_equal(read(path, activity="deconvolved").activity.values, spikes.T)
    one = read(path, part="processing/ophys/Fluorescence/plane1")
    assert set(one.group.tolist()) == {"V1"}
    assert one.excluded.keys() == {0, 1, 2, 4}
    assert one.excluded[0] == "no trace"


def test_suite2p_of_old(write, read):
    """The same, transposed."""
    from pynwb.ophys import Fluorescence, ImageSegmentation

    def fill(nwbfile):
        segmentation = ImageSegmentation(name="ImageSegmentation")
        table = segmentation.create_plane_segmentation(
            name="PlaneSegmentation", description="suite2p output", imaging_plane=add_plane(nwbfile)
        )
        for roi in range(4):
            table.add_roi(pixel_mask=[(roi, roi, 1.0)])
        add_to_ophys(nwbfile, segmentation)
        region = table.create_roi_table_region(region=[0, 1, 2, 3], description="all")
        with pytest.warns(UserWarning, match="data is oriented incorrectly|does not match"):
            add_to_ophys(nwbfile, Fluorescence(series("plane0", traces(4).T, region), name="Fluorescence"))

    with pytest.warns(NeuridWarning, match=r"is stored as \(ROIs, samples\), against the NWB schema"):
        population = read(write(fill))
    np.testing.assert_array_equal(population.activity.values, traces(4).T)


def test_allen_behaviour_ophys(write, read):
    """Containers with names of their own, timestamps, `valid_roi`, images as masks, and a type of an extension."""
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation

    times = 8.7 + np.arange(SAMPLES) / 31 + np.random.default_rng(0).normal(0, 1e-4, SAMPLES)

    def fill(nwbfile):
        segmentation = ImageSegmentation(name="image_segmentation")
        table = segmentation.create_plane_segmentation(
            name="cell_specimen_table",
            description="Segmented rois",
            imaging_plane=add_plane(
                nwbfile, "imaging_plane_1", location="VISl", grid_spacing=[0.78, 0.78], grid_spacing_unit="microns"
            ),
        )
        for column in ("cell_specimen_id", "valid_roi"):
            table.add_column(column, "no description")
        for roi in range(5):
            mask = np.zeros((16, 12), bool)
            mask[roi : roi + 2, 3:6] = True
            table.add_roi(id=1_080_000_000 + roi, image_mask=mask, cell_specimen_id=-1, valid_roi=roi != 3)
        add_to_ophys(nwbfile, segmentation)
        for name, kind in (
            ("dff", DfOverF),
            ("corrected_fluorescence", Fluorescence),
            ("neuropil_trace", Fluorescence),
        ):
            region = table.create_roi_table_region(region=list(range(5)), description="segmented cells")
            add_to_ophys(nwbfile, kind(series("traces", traces(5, len(name)), region, timestamps=times), name=name))
        region = table.create_roi_table_region(region=list(range(5)), description="Cells with detected events")
        add_to_ophys(nwbfile, series("event_detection", np.abs(traces(5)), region, timestamps=times))

    path = write(fill)
    with h5py.File(path, "r+") as file:
        file["processing/ophys/event_detection"].attrs["neurodata_type"] = "OphysEventDetection"
        file["processing/ophys/event_detection"].attrs["namespace"] = "ndx-aibs-ophys-event-detection"
    population = read(path)
    np.testing.assert_array_equal(population.activity.values, traces(5, 3).T)
    assert population.activity.rate_hz == pytest.approx(31, rel=1e-3)
    assert len(population.runs_s()) == 1
    assert population.excluded == {3: "valid_roi marks it as not a cell; --all-rois includes it"}
    assert population.unit_ids[0] == 1_080_000_000
    assert population.labels["brain_region"].tolist() == ["VISl"] * 5
    expected = 0.78 * np.column_stack([np.arange(5) + 0.5, np.full(5, 4.0), np.zeros(5)])
    np.testing.assert_allclose(population.positions_um, expected, rtol=1e-6)
    assert read(path, activity="deconvolved").activity.kind == "deconvolved"
    np.testing.assert_array_equal(read(path, activity="fluorescence").activity.values, traces(5, 22).T)


def test_several_planes_of_a_mesoscope(write, read):
    """A plane and a table for each depth, scanned one after the other."""
    from pynwb.ophys import DfOverF, ImageSegmentation

    def fill(nwbfile, shift_s=0.01):
        segmentation, container = ImageSegmentation(name="ImageSegmentation"), DfOverF(name="DfOverF")
        add_to_ophys(nwbfile, segmentation, container)
        for depth, count in ((100, 2), (200, 3)):
            plane = add_plane(nwbfile, f"depth{depth}", location="VISp" if depth == 100 else "unknown")
            table = segmentation.create_plane_segmentation(
                name=f"Segmentation{depth}", description="ROIs", imaging_plane=plane
            )
            for roi in range(count):
                table.add_roi(pixel_mask=[(roi, roi, 1.0)])
            region = table.create_roi_table_region(region=list(range(count)), description="all")
            clock = {"rate": 6.3, "starting_time": shift_s * depth / 100}
            container.add_roi_response_series(series(f"Series{depth}", traces(count, depth), region, **clock))

    population = read(write(fill))
    assert population.group.tolist() == ["depth100"] * 2 + ["depth200"] * 3
    assert population.labels["brain_region"].tolist() == ["VISp"] * 2 + [""] * 3
    assert population.unit_ids.tolist() == [0, 1, 0, 1, 2]
    np.testing.assert_array_equal(population.activity.values[2:], traces(3, 200).T)
    with pytest.raises(InvalidOption, match="are not sampled together"):
        read(write(lambda nwbfile: fill(nwbfile, shift_s=1.0)))


def test_bare_series_in_a_module_and_in_acquisition(write, read):
    """No container at all, as hand-written files have it; and units inferred from the same movie."""
    from pynwb.ophys import ImageSegmentation

    def fill(nwbfile, where):
        segmentation = ImageSegmentation(name="ImageSegmentation")
        table = segmentation.create_plane_segmentation(
            name="PlaneSegmentation", description="ROIs", imaging_plane=add_plane(nwbfile)
        )
        for roi in range(3):
            table.add_roi(pixel_mask=[(roi, roi, 1.0)])
        add_to_ophys(nwbfile, segmentation)
        region = table.create_roi_table_region(region=[0, 1, 2], description="all")
        own = series("roi_traces", traces(3), region)
        add_to_ophys(nwbfile, own) if where == "module" else nwbfile.add_acquisition(own)
        if where == "both":
            nwbfile.add_unit(spike_times=[0.1, 0.2], obs_intervals=[[0.0, 4.0]])

    for where in ("module", "acquisition"):
        population = read(write(lambda nwbfile, where=where: fill(nwbfile, where)))
        assert population.activity.kind == "fluorescence"
        np.testing.assert_array_equal(population.activity.values, traces(3).T)
    path = write(lambda nwbfile: fill(nwbfile, "both"))
    with pytest.raises(InvalidOption) as refused:
        read(path)
    assert str(refused.value) == (
        f"{path} holds several recordings. Choose one:\n"
        "  --from units: spikes, units: 1\n"
        "  --from acquisition/roi_traces: fluorescence, ROIs: 3"
    )
    assert len(read(path, part="acquisition/roi_traces")) == 3
    assert len(read(path, part="units")) == 1

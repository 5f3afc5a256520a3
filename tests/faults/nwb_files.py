"""Small valid NWB files that hold between them whatever the reader looks at."""

from datetime import UTC, datetime

import h5py
import numpy as np


def write_units(path):
    """Units of two probes with all that is read beside them, as PyNWB writes it."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ogen import OptogeneticSeries

    rng = np.random.default_rng(0)
    file = NWBFile("a test", "units", datetime(2020, 1, 1, tzinfo=UTC), session_id="day 1")
    device = file.create_device("probe")
    probes = [file.create_electrode_group(name, description="a", location="b", device=device) for name in "AB"]
    for row, location in enumerate(["CA1", "CA3", "DG", "VISp", "unknown"]):
        file.add_electrode(x=float(row), y=2.0, z=0.0, location=location, group=probes[row // 3])
    for name in ("quality", "cell_type", "snr", "max_electrode"):
        file.add_unit_column(name, "a column")
    for unit in range(6):
        file.add_unit(
            spike_times=np.sort(rng.uniform(0, 100, 30)),
            obs_intervals=[[0.0, 40.0], [50.0, 100.0]],
            electrodes=[unit % 3, unit % 3 + 1],
            waveform_mean=rng.normal(size=(12, 2)),
            quality="noise" if unit == 2 else "good",
            cell_type="PV" if unit % 2 else "SST",
            snr=float(unit),
            max_electrode=unit % 5,
        )
    file.add_trial_column("photostim_onset", "onset, or N/A")
    for trial in range(5):
        file.add_trial(
            start_time=20.0 * trial, stop_time=20.0 * trial + 5, photostim_onset="1.0" if trial == 3 else "N/A"
        )
    file.add_epoch(0.0, 100.0)
    file.add_invalid_time_interval(start_time=10.0, stop_time=11.0)
    site = file.create_ogen_site("site", device=device, description="x", excitation_lambda=473.0, location="x")
    power = np.r_[np.zeros(600), np.ones(10)]
    file.add_stimulus(OptogeneticSeries(name="light", data=power, site=site, rate=1.0))
    with NWBHDF5IO(path, "w") as io:
        io.write(file, cache_spec=False)


def write_imaging(path):
    """Two planes with masks, verdicts and three activities, as PyNWB writes them."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

    rng = np.random.default_rng(0)
    file = NWBFile("a test", "imaging", datetime(2020, 1, 1, tzinfo=UTC), session_id="day 1")
    device, module = file.create_device("scope"), file.create_processing_module("ophys", "imaging")
    segmentation = ImageSegmentation(name="ImageSegmentation")
    activities = [DfOverF(name="DfOverF"), Fluorescence(name="Fluorescence"), Fluorescence(name="Deconvolved")]
    for container in (segmentation, *activities):
        module.add(container)
    times = np.r_[np.arange(40), np.arange(50, 90)] / 30
    for name, count in (("upper", 3), ("lower", 4)):
        channel = OpticalChannel(name="green", description="green", emission_lambda=510.0)
        plane = file.create_imaging_plane(
            name=name,
            optical_channel=channel,
            description="a plane",
            device=device,
            excitation_lambda=920.0,
            location="VISp",
            indicator="GCaMP6f",
            grid_spacing=[0.8, 0.8],
            grid_spacing_unit="microns",
        )
        table = segmentation.create_plane_segmentation(name=f"{name} ROIs", description="ROIs", imaging_plane=plane)
        table.add_column("cell_type", "a text")
        for roi in range(count):
            table.add_roi(pixel_mask=[(roi, 1, 1.0), (roi + 1, 2, 0.5)], cell_type="PV" if roi else "")
        table.add_column("iscell", "verdict and probability", np.column_stack([np.arange(count) > 0, np.ones(count)]))
        for activity in activities:
            region = table.create_roi_table_region(region=list(range(count)), description="all")
            values = rng.normal(size=(80, count)).astype(np.float32)
            activity.add_roi_response_series(
                RoiResponseSeries(name=name, data=values, rois=region, unit="a.u.", timestamps=times)
            )
    with NWBHDF5IO(path, "w") as io:
        io.write(file, cache_spec=False)


def write_bare(path, **how):
    """Units and traces as compact HDF5, most bytes of which matter."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", **how) as file:
        file.attrs["nwb_version"] = "2.7.0"
        units = file.create_group("units")
        units["id"] = np.arange(5)
        units.create_dataset("spike_times", data=np.sort(rng.uniform(0, 50, 40)), chunks=(16,), compression="gzip")
        units["spike_times_index"] = np.array([8, 16, 24, 32, 40], np.uint8)
        units["label"] = np.array([1.0, 1.0, 0.33, 1.0, 0.67])
        units["ks2_label"] = np.array([b"good", b"mua", b"good", b"good", b"good"])
        series = file.create_group("processing/ophys/Fluorescence/plane0")
        values = rng.normal(size=(60, 4))
        series.create_dataset("data", data=values, chunks=(20, 3), compression="gzip", shuffle=True)
        series["data"].attrs["conversion"] = 0.5
        table = file.create_group("processing/ophys/ImageSegmentation/table")
        table["id"] = np.arange(4)
        table["image_mask"] = rng.uniform(size=(4, 6, 5)) > 0.5
        table["iscell"] = np.array([[1, 0.9], [0, 0.1], [1, 0.7], [1, 0.6]])
        plane = file.create_group("general/optophysiology/plane")
        plane["location"], plane["grid_spacing"] = "CA1", np.array([2e-6, 2e-6], np.float32)
        table["imaging_plane"] = h5py.SoftLink("/general/optophysiology/plane")
        series["rois"] = np.arange(4)
        series["rois"].attrs["table"] = table.ref
        series["starting_time"] = 1.0
        series["starting_time"].attrs["rate"] = 10.0


def write_behaviour(path):
    """Units with covariates of each kind as HDF5, most bytes of which matter."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units/id"], file["units/spike_times"] = np.arange(2), np.array([0.5, 1.0, 2.5, 9.5])
        file["units/spike_times_index"] = np.array([2, 4], np.uint8)
        times = np.array([0.5, 1.0, 4.0, 4.25])
        for place, kind, data in (
            ("acquisition/speed", "TimeSeries", np.arange(40.0).reshape(20, 2)),
            ("acquisition/notes", "AnnotationSeries", [b"groom", b"rear", b"groom", b"sleep"]),
            ("processing/behavior/events/licks", "TimeSeries", np.ones(4)),
            ("processing/behavior/moves", "IntervalSeries", np.array([1, -1, 1, -1], np.int8)),
            ("processing/behavior/position/xy", "SpatialSeries", np.arange(40, dtype=np.int16).reshape(20, 2)),
        ):
            file[f"{place}/data"] = data
            file[place].attrs["neurodata_type"] = kind
            if len(data) == 4:
                file[f"{place}/timestamps"] = times
            else:
                file[f"{place}/starting_time"] = 0.0
                file[f"{place}/starting_time"].attrs["rate"] = 5.0
        file["processing/behavior/events"].attrs["neurodata_type"] = "BehavioralEvents"
        file["processing/behavior/position"].attrs["neurodata_type"] = "Position"
        file["events/rewards/timestamp"] = times
        file["events/rewards"].attrs["neurodata_type"] = "EventsTable"
        trials = file.create_group("intervals/trials")
        trials.attrs["neurodata_type"] = "TimeIntervals"
        trials["id"], trials["start_time"], trials["stop_time"] = np.arange(4), np.arange(4.0), np.arange(4) + 0.5
        trials["choice"], trials["contrast"] = [b"left", b"right", b"left", b""], np.array([0, 0.25, np.nan, 1])
        trials["cue"] = np.arange(4) + 0.1


# What each file is called, how it is written, and the options that it is read with.
SOURCES = {
    "units": (write_units, []),
    "selected units": (write_units, ["--where", "snr > 1 and quality == 'good'", "--intervals", "trials:id < 3"]),
    "planes": (write_imaging, []),
    "deconvolved": (write_imaging, ["--activity", "deconvolved", "--all-rois"]),
    "behaviour": (write_behaviour, []),
    "bare units": (write_bare, ["--from", "units"]),
    "bare traces": (write_bare, ["--activity", "fluorescence"]),
    "bare traces of today": (lambda path: write_bare(path, libver="latest"), ["--activity", "fluorescence"]),
}

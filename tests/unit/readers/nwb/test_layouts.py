"""Files written by PyNWB in the layouts that large data sets have: each names electrodes and types in its own way."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning

SAMPLES, UNITS = 12, 6


def add_probes(nwbfile, locations, *, probes=("probeA", "probeB"), first_id=0, **columns):
    """One electrode for each location, half of them on each probe, and one column more for each of `columns`."""
    device = nwbfile.create_device("probe")
    groups = [
        nwbfile.create_electrode_group(name, description="a probe", location="brain", device=device) for name in probes
    ]
    for name in columns:
        nwbfile.add_electrode_column(name, "a column of the data set")
    for row, location in enumerate(locations):
        own = {name: values[row] for name, values in columns.items()}
        group = groups[row * len(groups) // len(locations)]
        place = {"x": 1000.0 + row, "y": 20.0 * row, "z": 5.0}
        nwbfile.add_electrode(id=first_id + 2 * row, location=location, group=group, **place, **own)
    return groups


def trains_s(start_s=0.0, stop_s=100.0):
    """Spike trains of all units, the last of them silent."""
    rng = np.random.default_rng(0)
    return [np.sort(rng.uniform(start_s, stop_s, 50)) for _ in range(UNITS - 1)] + [np.empty(0)]


def peaking_at(electrode, electrodes):
    """A mean waveform that is largest on one of several electrodes, shape (samples, electrodes)."""
    waveform = np.ones((SAMPLES, electrodes))
    waveform[SAMPLES // 2, :] = -2.0
    waveform[SAMPLES // 2, electrode] = -30.0
    return waveform


def assert_trains(population, expected=None):
    assert len(population) == UNITS
    for unit, train in enumerate(trains_s() if expected is None else expected):
        np.testing.assert_array_equal(population.spikes.train_s(unit), train)


def test_allen(write, read):
    """Ids of electrodes in `peak_channel_id`, in no order; `waveform_mean` ragged over all channels of a probe."""
    channels, first_id = 10, 850264748
    ids = first_id + 2 * np.array([7, 0, 3, 9, 3, 5])
    locations = ["VISp", "CA1", "LP", "VISl", "root", "APN", "null", "VISam", "DG", "LGd"]

    def fill(nwbfile):
        add_probes(nwbfile, locations, first_id=first_id)
        for name in ("peak_channel_id", "cluster_id", "local_index", "quality", "snr"):
            nwbfile.add_unit_column(name, "no description")
        for unit, train in enumerate(trains_s()):
            nwbfile.add_unit(
                id=950_000_000 + 7 * unit,
                spike_times=train,
                obs_intervals=[[0.0, 100.0]],
                peak_channel_id=ids[unit],
                cluster_id=unit,
                local_index=unit,
                quality="good" if unit % 2 else "noise",
                snr=1.5,
            )

    path = write(fill)
    with h5py.File(path, "r+") as file:
        file["units/waveform_mean"] = np.zeros((UNITS * channels, SAMPLES))
        file["units/waveform_mean_index"] = channels * np.arange(1, UNITS + 1)
    with pytest.warns(NeuridWarning, match="left out 3 of 6 units: quality is not 'good' or better; --where all"):
        population = read(path)
    assert_trains(population)
    assert population.excluded == dict.fromkeys([0, 2, 4], "quality is not 'good' or better")
    assert population.unit_ids.tolist() == [950_000_000 + 7 * unit for unit in range(UNITS)]
    assert population.labels["brain_region"].tolist() == ["VISam", "VISp", "VISl", "LGd", "VISl", "APN"]
    assert population.labels["quality"].tolist() == ["noise", "good"] * 3
    assert population.group.tolist() == ["probeB", "probeA", "probeA", "probeB", "probeA", "probeB"]
    np.testing.assert_array_equal(population.positions_um[0], [1007, 140, 5])


def test_steinmetz_on_dandi(write, read):
    """Several electrodes for each unit, columns of shape (units, 1), and `peak_channel`, which is no id."""
    locations = ["CA1", "DG", "root", "VISp", "MOs", "ACA"]
    peaks = [1, 0, 2, 0, 1, 2]

    def fill(nwbfile):
        add_probes(nwbfile, locations, first_id=100)
        for name in ("phy_annotations", "peak_channel", "cluster_depths"):
            nwbfile.add_unit_column(name, "a column of shape (units, 1)")
        nwbfile.add_epoch(0.0, 100.0)
        for unit, train in enumerate(trains_s()):
            nwbfile.add_unit(
                spike_times=train,
                electrodes=[unit % 4, unit % 4 + 1, unit % 4 + 2],
                waveform_mean=peaking_at(peaks[unit], 3),
                phy_annotations=np.array([unit % 4]),
                peak_channel=np.array([3.0]),
                cluster_depths=np.array([20.0 * unit]),
            )

    with pytest.warns(NeuridWarning, match="left out 4 of 6 units: phy_annotations is below 2; --where all keeps"):
        population = read(write(fill))
    assert_trains(population)
    assert population.excluded == dict.fromkeys([0, 1, 4, 5], "phy_annotations is below 2")
    assert population.observed_s.tolist() == [[0, 100]]
    assert population.labels["brain_region"].tolist() == ["DG", "DG", "MOs", "VISp", "DG", "VISp"]
    assert population.labels.keys() == {"brain_region"}
    np.testing.assert_array_equal(population.positions_um[:, 0], [1001, 1001, 1004, 1003, 1001, 1003])


def test_ibl_2021(write, read):
    """Names with dots, one electrode for each unit, waveforms of one channel."""

    def fill(nwbfile):
        add_probes(nwbfile, ["MOs2/3", "MOs5", "void", "CP"])
        for name in ("peakToTrough.npy", "ks2_label", "label", "waveformsChannels.npy"):
            nwbfile.add_unit_column(name, "a column of the data set")
        for unit, train in enumerate(trains_s()):
            nwbfile.add_unit(
                spike_times=train,
                obs_intervals=[[0.0, 100.0]],
                electrodes=[unit % 4],
                waveform_mean=np.zeros(SAMPLES),
                ks2_label="good" if unit else "mua",
                label=0.66,
                **{"peakToTrough.npy": 0.3, "waveformsChannels.npy": np.arange(32)},
            )

    population = read(write(fill))
    assert_trains(population)
    assert population.labels["brain_region"].tolist() == ["MOs2/3", "MOs5", "", "CP", "MOs2/3", "MOs5"]
    assert population.labels["ks2_label"].tolist() == ["mua"] + ["good"] * 5


def test_ibl_2025(write, read):
    """The row of the electrode in `max_electrode`; the name of the probe on each unit."""
    rows = [3, 0, 1, 2, 3, 0]

    def fill(nwbfile):
        beryl = ["MOs", "MOs", "root", "CP"]
        add_probes(nwbfile, ["MOs2/3", "MOs5", "root", "CP"], first_id=40, beryl_location=beryl)
        for name in ("max_electrode", "probe_name", "cluster_uuid", "ibl_quality_score", "kilosort2_label"):
            nwbfile.add_unit_column(name, "a column of the data set")
        for unit, train in enumerate(trains_s()):
            nwbfile.add_unit(
                spike_times=train,
                obs_intervals=[[0.0, 100.0]],
                max_electrode=rows[unit],
                probe_name=f"probe0{unit % 2}",
                cluster_uuid=f"00000000-0000-0000-0000-00000000000{unit}",
                ibl_quality_score=0.33,
                kilosort2_label="good",
            )

    population = read(write(fill))
    assert_trains(population)
    assert population.labels["brain_region"].tolist() == ["CP", "MOs2/3", "MOs5", "", "CP", "MOs2/3"]
    assert population.labels["probe_name"].tolist() == ["probe00", "probe01"] * 3
    assert population.group.tolist() == ["probeB", "probeA", "probeA", "probeB", "probeB", "probeA"]


def test_buzsaki(write, read):
    """Cell type in free words, region and shank on the unit itself; nothing leads to the table of electrodes."""
    types = ["Narrow Interneuron", "Wide Interneuron", "Pyramidal Cell", "unknown", "Pyramidal Cell", " "]

    def fill(nwbfile):
        shanks = add_probes(nwbfile, ["unknown"] * 4, probes=("shank1", "shank2"))
        for name in ("cell_type", "region", "shank_id", "global_id"):
            nwbfile.add_unit_column(name, "a column of the data set")
        for unit, train in enumerate(trains_s()):
            nwbfile.add_unit(
                spike_times=train,
                electrode_group=shanks[unit % 2],
                cell_type=types[unit],
                region="CA1" if unit % 2 else "unknown",
                shank_id=unit % 2,
                global_id=np.uint16(unit + 300),
            )

    path = write(fill)
    with pytest.warns(NeuridWarning, match="does not state when its units were observed"):
        population = read(path)
    assert_trains(population)
    assert population.labels["cell_type"].tolist() == [*types[:3], "", "Pyramidal Cell", ""]
    assert population.labels["brain_region"].tolist() == ["", "CA1"] * 3
    assert population.group.tolist() == ["shank1", "shank2"] * 3
    assert population.positions_um is None


def test_delayed_response(write, read):
    """Spikes in trials alone: one interval of each unit for each trial, and units that were lost half-way."""
    trials = np.array([[10.0 * trial, 10.0 * trial + 4.0] for trial in range(10)])
    own = [trials, trials[:5], trials, trials[3:], trials, trials]
    inside = [np.concatenate([np.linspace(start, stop - 0.5, 7) for start, stop in rows]) for rows in own]

    def fill(nwbfile):
        add_probes(nwbfile, ["ALM", "ALM", "fiber tract", "unknown"])
        for name in ("cell_type", "quality"):
            nwbfile.add_unit_column(name, "in free words")
        for unit in range(UNITS):
            nwbfile.add_unit(
                spike_times=inside[unit],
                obs_intervals=own[unit],
                electrodes=[unit % 4],
                cell_type="wide width" if unit % 2 else "narrow width",
                quality="good",
            )

    population = read(write(fill))
    assert_trains(population, inside)
    assert population.unit_duration_s().tolist() == [40, 20, 40, 28, 40, 40]
    np.testing.assert_array_equal(population.runs_s(), trials)
    np.testing.assert_array_equal(population.runs_s(1), trials[:5])
    assert population.intervals_s(0).max() < 1.0
    assert population.labels["brain_region"].tolist() == ["ALM", "ALM", "fiber tract", "", "ALM", "ALM"]
    assert population.labels["cell_type"].tolist() == ["narrow width", "wide width"] * 3


def test_optotagging(write, read):
    """Light as a series of power, as PyNWB writes it."""
    from pynwb.ogen import OptogeneticSeries

    def fill(nwbfile):
        device = nwbfile.create_device("laser")
        site = nwbfile.create_ogen_site("site", device=device, description="x", excitation_lambda=473.0, location="x")
        power = np.r_[np.zeros(400), np.ones(100)]
        nwbfile.add_stimulus(OptogeneticSeries(name="blue light", data=power, site=site, rate=1.0))
        for train in trains_s():
            nwbfile.add_unit(spike_times=5 * train, obs_intervals=[[0.0, 500.0]])

    path = write(fill)
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert str(warned[0].message) == (
        f"{path}: optogenetic stimulation from 400 s (/stimulus/presentation/blue light). Observed time ends 300 s "
        "before it, at 100 s; --keep-opto keeps all."
    )
    assert population.observed_s.tolist() == [[0, 100]]
    assert_trains(read(path, keep_opto=True), [5 * train for train in trains_s()])

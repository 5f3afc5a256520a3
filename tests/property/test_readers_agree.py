"""The same spikes over the same observed time are the same population, through whichever format they come."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb import NWBHDF5IO, NWBFile

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.readers.neo import PLUGIN as NEO
from nwb_neurid.readers.nwb import PLUGIN as NWB
from nwb_neurid.readers.spikeinterface import PLUGIN as SPIKEINTERFACE

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")
neo = pytest.importorskip("neo", reason="neo is not installed")

BIN_S = 0.02


@st.composite
def recordings(draw, segments):
    """Sampling rate, when each segment starts in samples of a common clock, how many it has, and the spikes in it."""
    rate_hz = draw(st.sampled_from([1_000.0, 20_000.0, 24_414.0625, 30_000.0]))
    lengths = draw(st.lists(st.integers(200, 20_000), min_size=segments, max_size=segments))
    gaps = draw(st.lists(st.integers(100, 20_000), min_size=segments, max_size=segments))
    starts = np.cumsum([0, *np.add(lengths, gaps)])[:segments]
    units = draw(st.integers(1, 4))
    trains = [
        [np.array(sorted(draw(st.sets(st.integers(0, length - 1), max_size=30))), np.int64) for _ in range(units)]
        for length in lengths
    ]
    for length, own in zip(lengths, trains, strict=True):
        own[0] = np.union1d(own[0], [length - 1])  # a spike in every segment, in its last sample
    return rate_hz, starts, lengths, trains


def through_nwb(rate_hz, starts, lengths, trains):
    nwbfile = NWBFile("spikes", "spikes", datetime(2024, 1, 1, tzinfo=UTC))
    observed = [[start / rate_hz, (start + length) / rate_hz] for start, length in zip(starts, lengths, strict=True)]
    for unit in range(len(trains[0])):
        samples = np.concatenate([start + own[unit] for start, own in zip(starts, trains, strict=True)])
        nwbfile.add_unit(spike_times=samples / rate_hz, obs_intervals=observed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spikes.nwb"
        with NWBHDF5IO(path, "w") as io:
            io.write(nwbfile)
        return NWB.read(path, ReadOptions())


def sorting_of(rate_hz, starts, lengths, trains):
    """A sorting and its silent recording."""
    sorting = core.NumpySorting.from_unit_dict([dict(enumerate(own)) for own in trains], rate_hz)
    recording = core.NumpyRecording([np.zeros((length, 1), np.float32) for length in lengths], rate_hz)
    for segment, start in enumerate(starts):
        recording.shift_times(start / rate_hz, segment_index=segment)
    return sorting, recording


def through_sorting(*recording):
    sorting, voltage = sorting_of(*recording)
    sorting.register_recording(voltage)
    return SPIKEINTERFACE.read(sorting, ReadOptions())


def through_analyzer(*recording):
    sorting, voltage = sorting_of(*recording)
    voltage.set_dummy_probe_from_locations(np.zeros((1, 2)))
    channels = {"main_channel_indices": np.zeros(len(sorting.unit_ids), int)}
    return SPIKEINTERFACE.read(core.create_sorting_analyzer(sorting, voltage, sparse=False, **channels), ReadOptions())


def through_neo(rate_hz, starts, lengths, trains):
    block = neo.Block()
    for start, length, own in zip(starts, lengths, trains, strict=True):
        block.segments.append(neo.Segment())
        of = {"units": "ms", "t_start": start / rate_hz * 1e3, "t_stop": (start + length) / rate_hz * 1e3}
        block.segments[-1].spiketrains.extend(
            [
                neo.SpikeTrain((start + samples) / rate_hz * 1e3, name=f"unit {unit}", **of)
                for unit, samples in enumerate(own)
            ]
        )
    return NEO.read(block, ReadOptions())


def through_phy(rate_hz, _, lengths, trains):
    """Of one segment from 0, and of the units that fired: phy knows no others."""
    with tempfile.TemporaryDirectory() as folder:
        clusters = np.repeat(np.arange(len(trains[0])), [len(own) for own in trains[0]])
        order = np.argsort(np.concatenate(trains[0]), kind="stable")
        np.save(Path(folder) / "spike_times.npy", np.concatenate(trains[0])[order])
        np.save(Path(folder) / "spike_clusters.npy", clusters[order])
        (Path(folder) / "raw.dat").write_bytes(bytes(2 * lengths[0]))
        params = f"dat_path = 'raw.dat'\nn_channels_dat = 1\ndtype = 'int16'\noffset = 0\nsample_rate = {rate_hz}\n"
        (Path(folder) / "params.py").write_text(params)
        return SPIKEINTERFACE.read(folder, ReadOptions())


def assert_same(population, expected):
    assert len(population) == len(expected)
    np.testing.assert_array_equal(population.spikes.counts(), expected.spikes.counts())
    np.testing.assert_allclose(population.spikes.times_s, expected.spikes.times_s, rtol=0, atol=1e-9)
    np.testing.assert_allclose(population.observed_s, expected.observed_s, rtol=0, atol=1e-9)
    assert population.unit_observed is None
    np.testing.assert_array_equal(population.binned(BIN_S), expected.binned(BIN_S))


@settings(max_examples=25)
@given(recording=recordings(segments=1))
def test_readers_agree_on_a_recording(recording):
    expected = through_nwb(*recording)
    for through in (through_sorting, through_analyzer, through_neo):
        assert_same(through(*recording), expected)
    assert_same(through_phy(*recording), expected.select(expected.spikes.counts() > 0))


@settings(max_examples=25)
@given(recording=recordings(segments=3))
def test_readers_agree_on_segments_of_one_clock(recording):
    expected = through_nwb(*recording)
    for through in (through_sorting, through_analyzer, through_neo):
        assert_same(through(*recording), expected)


@settings(max_examples=25)
@given(recording=recordings(segments=3))
def test_readers_agree_on_segments_whose_clock_starts_anew(recording):
    rate_hz, _, lengths, trains = recording
    anew = (rate_hz, [0, 0, 0], lengths, trains)
    expected = through_sorting(*anew)
    assert len(expected.runs_s()) == 3
    assert_same(through_analyzer(*anew), expected)
    assert_same(through_neo(*anew), expected)

import warnings

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, NeuridWarning

MEAN = "units/waveform_mean"
SAMPLES = 30
CHANNELS = 3


def spike(size, at=10):
    """A flat line with one trough."""
    waveform = np.zeros(SAMPLES)
    waveform[at] = -size
    return waveform


@pytest.fixture
def peaks():
    """The waveform of each of the four units of `sound` on its peak channel."""
    return np.array([spike(size) for size in (40.0, 50.0, 60.0, 70.0)])


@pytest.fixture
def channels(peaks):
    """Four units on three channels each, shape (units, channels, samples): unit 0 peaks on channel 0, unit 1 on 1."""
    waveforms = np.tile(0.2 * peaks[:, None], (1, CHANNELS, 1))
    waveforms[np.arange(4), np.arange(4) % CHANNELS] = peaks
    return waveforms


def at_30_khz(values, **others):
    return {
        MEAN: values,
        f"{MEAN}@sampling_rate": 30000.0,
        **{f"units/{name}": value for name, value in others.items()},
    }


def test_one_channel(read, hdf5, sound, peaks):
    population = read(hdf5({**sound, **at_30_khz(peaks)}))
    assert population.waveform_rate_hz == 30000.0
    np.testing.assert_array_equal(population.waveforms_uv, peaks.astype(np.float32))


def test_a_positive_peak_stays_positive(read, hdf5, sound, peaks):
    assert read(hdf5({**sound, **at_30_khz(-peaks)})).waveforms_uv.max() == 70.0


def test_samples_by_electrodes_give_the_channel_with_the_largest_amplitude(read, hdf5, sound, channels, peaks):
    population = read(hdf5({**sound, **at_30_khz(channels.swapaxes(1, 2))}))
    np.testing.assert_array_equal(population.waveforms_uv, peaks.astype(np.float32))


def referring(counts):
    """Columns of references to electrodes, so many for each unit; the table itself is not there."""
    return {"electrodes": np.zeros(sum(counts), int), "electrodes_index": np.cumsum(counts)}


def test_electrodes_that_a_unit_does_not_refer_to_are_padding(read, hdf5, sound, channels):
    channels[:, 2] = spike(1e6)
    population = read(hdf5({**sound, **at_30_khz(channels.swapaxes(1, 2), **referring([2, 2, 2, 2]))}))
    assert population.waveforms_uv.min() == -70.0


def test_electrodes_by_samples_are_told_by_the_number_of_electrodes(read, hdf5, sound, channels, peaks):
    population = read(hdf5({**sound, **at_30_khz(channels, **referring([CHANNELS] * 4))}))
    np.testing.assert_array_equal(population.waveforms_uv, peaks.astype(np.float32))


def test_a_row_for_each_channel(read, hdf5, sound, channels, peaks):
    rows = at_30_khz(channels.reshape(-1, SAMPLES), waveform_mean_index=CHANNELS * np.arange(1, 5))
    np.testing.assert_array_equal(read(hdf5({**sound, **rows})).waveforms_uv, peaks.astype(np.float32))


def test_samples_of_several_electrodes_with_an_index(read, hdf5, sound, channels, peaks):
    rows = np.concatenate(list(channels.swapaxes(1, 2)))
    columns = {"waveform_mean_index": SAMPLES * np.arange(1, 5), **referring([CHANNELS] * 4)}
    population = read(hdf5({**sound, **at_30_khz(rows, **columns)}))
    np.testing.assert_array_equal(population.waveforms_uv, peaks.astype(np.float32))


def test_waveforms_of_their_own_lengths_end_in_nan(read, hdf5, sound, peaks):
    values = np.concatenate([peaks[0], peaks[1][:20], peaks[3]])
    population = read(hdf5({**sound, **at_30_khz(values, waveform_mean_index=[30, 50, 50, 80])}))
    assert np.isnan(population.waveforms_uv).sum(axis=1).tolist() == [0, 10, 30, 0]
    np.testing.assert_array_equal(population.waveforms_uv[1, :20], peaks[1][:20].astype(np.float32))


def test_they_are_read_in_pieces(read, hdf5, sound, channels, peaks, monkeypatch):
    monkeypatch.setattr("nwb_neurid.readers.nwb.waveforms.ELEMENTS_AT_ONCE", 1)
    even = at_30_khz(channels.swapaxes(1, 2))
    ragged = at_30_khz(channels.reshape(-1, SAMPLES), waveform_mean_index=CHANNELS * np.arange(1, 5))
    for number, contents in enumerate((even, ragged)):
        population = read(hdf5({**sound, **contents}, f"{number}.nwb"))
        np.testing.assert_array_equal(population.waveforms_uv, peaks.astype(np.float32))


def test_flat_and_missing_waveforms_are_unknown(read, hdf5, sound, peaks):
    peaks[1], peaks[2] = 0.0, np.nan
    population = read(hdf5({**sound, **at_30_khz(peaks)}))
    assert np.isnan(population.waveforms_uv).all(axis=1).tolist() == [False, True, True, False]


def test_what_is_not_finite_is_no_peak(read, hdf5, sound, channels):
    channels[0, 1, 5], channels[0, 2] = np.inf, np.nan
    assert read(hdf5({**sound, **at_30_khz(channels.swapaxes(1, 2))})).waveforms_uv[0].min() == -40.0


@pytest.mark.parametrize(
    ("unit", "stored", "factor"),
    [
        ("volts", 1e-6, 1.0),  # volts
        ("volts", 1.0, 1.0),  # called volts by PyNWB, and microvolts by their size
        ("microvolts", 1.0, 1.0),
        ("mV", 1e-3, 1.0),
        ("arbitrary", 1e-3, 1e-3),
        (None, 0.5, 0.5),
    ],
)
def test_units_of_voltage(read, hdf5, sound, peaks, unit, stored, factor):
    population = read(hdf5({**sound, **at_30_khz(peaks * stored), f"{MEAN}@unit": unit}))
    np.testing.assert_allclose(population.waveforms_uv, peaks * factor, rtol=1e-5)


def test_a_column_states_the_rate_of_each_unit(read, hdf5, sound, peaks):
    contents = {**sound, MEAN: peaks, "units/sampling_rate": [25000.0, 25000.0, 30000.0, np.nan]}
    with pytest.warns(NeuridWarning, match="the waveforms of 1 units have another rate than 25000 Hz"):
        population = read(hdf5(contents))
    assert population.waveform_rate_hz == 25000.0
    assert np.isnan(population.waveforms_uv).all(axis=1).tolist() == [False, False, True, True]


def test_the_standard_deviation_states_the_rate_too(read, hdf5, sound, peaks):
    spread = {"units/waveform_sd": peaks, "units/waveform_sd@sampling_rate": 20000.0}
    assert read(hdf5({**sound, MEAN: peaks, **spread})).waveform_rate_hz == 20000.0


def test_waveforms_of_unknown_rate_are_not_used(read, hdf5, sound, peaks):
    population = read(hdf5({**sound, MEAN: peaks}))
    assert population.waveforms_uv is None
    assert population.waveform_rate_hz is None


def test_the_user_may_state_the_rate(read, hdf5, sound, peaks):
    assert read(hdf5({**sound, MEAN: peaks}), rate_hz=20000.0).waveform_rate_hz == 20000.0
    assert read(hdf5({**sound, **at_30_khz(peaks)}), rate_hz=30000.0).waveform_rate_hz == 30000.0


def test_the_user_may_not_contradict_the_file(read, hdf5, sound, peaks):
    with pytest.raises(
        InvalidOption, match="states a sampling rate of 30000 Hz for its waveforms, but rate_hz is 20000"
    ):
        read(hdf5({**sound, **at_30_khz(peaks)}), rate_hz=20000.0)


def test_a_rate_is_not_for_traces(read, hdf5, rois, noise):
    with pytest.raises(InvalidOption, match=r"its own timestamps, and rate_hz is only for waveforms of units\. Leave"):
        read(hdf5(rois(noise)), rate_hz=30000.0)


@pytest.mark.parametrize("rate_hz", [30.0, 3e7])
def test_a_rate_that_cannot_be_right_is_reported(read, hdf5, sound, peaks, rate_hz):
    with pytest.warns(NeuridWarning, match=r"so a spike would last .* State sampling_rate in Hz"):
        population = read(hdf5({**sound, **at_30_khz(peaks), f"{MEAN}@sampling_rate": rate_hz}))
    assert population.waveforms_uv is None


@pytest.mark.parametrize(
    "contents",
    [
        {MEAN: np.ones((3, SAMPLES))},
        {MEAN: np.ones((4, 2, 3, SAMPLES))},
        {MEAN: np.ones((4, 0))},
        {"units/waveform_mean_index": [1, 2, 3, 4], "units/waveform_mean_index_index": [1, 2, 3, 4]},
        {MEAN: np.ones((4, 2, SAMPLES)), "units/waveform_mean_index": [1, 2, 3, 4]},
    ],
)
def test_another_layout_is_reported(read, hdf5, sound, peaks, contents):
    with pytest.warns(NeuridWarning, match="which is not a known layout: its waveforms are not used"):
        population = read(hdf5({**sound, **at_30_khz(peaks), **contents}))
    assert population.waveforms_uv is None


@pytest.mark.parametrize("values", [np.zeros((4, SAMPLES)), np.array([["a"] * 3] * 4, dtype="S1")])
def test_no_waveforms_without_a_word(read, hdf5, sound, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(hdf5({**sound, **at_30_khz(values)})).waveforms_uv is None


def test_as_pynwb_writes_them(read, write):
    def fill(nwbfile):
        from pynwb.misc import Units

        nwbfile.units = Units(name="units", description="sorted", waveform_rate=25000.0, waveform_unit="volts")
        for size in (1.0, 2.0):
            nwbfile.add_unit(
                spike_times=[0.5, 0.7], obs_intervals=[[0.0, 1.0]], waveform_mean=np.stack([spike(size), spike(9.0)], 1)
            )

    population = read(write(fill))
    assert population.waveform_rate_hz == 25000.0
    assert population.waveforms_uv.min(axis=1).tolist() == [-9.0, -9.0]

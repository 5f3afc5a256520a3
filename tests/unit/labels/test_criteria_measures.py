import numpy as np
import pytest

from nwb_neurid.labels.criteria.regions import find_part
from nwb_neurid.labels.criteria.timing import (
    correlate_narrowly,
    fit_rise_ms,
    measure_long_share,
    measure_suppression_ms,
)
from nwb_neurid.labels.criteria.waveform import measure_peak_trough_us, measure_trough_to_peak_ms

RUNS_S = np.array([[0.0, 200.0]])


def spike(trough_to_peak_ms, rate_hz, *, before_ms=0.8, after_ms=1.2):
    """A trough at `before_ms` and a smaller, wider peak after it."""
    t = np.arange(-before_ms, after_ms, 1e3 / rate_hz)
    return -np.exp(-((t / 0.1) ** 2)) + 0.3 * np.exp(-(((t - trough_to_peak_ms) / 0.15) ** 2))


@pytest.mark.parametrize("rate_hz", [20000.0, 24414.0625, 30000.0, 32000.0, 96000.0])
@pytest.mark.parametrize("duration_ms", [0.3, 0.425, 0.6])
def test_trough_to_peak_does_not_depend_on_the_sampling_rate(rate_hz, duration_ms):
    measured, cut = measure_trough_to_peak_ms(spike(duration_ms, rate_hz), rate_hz)
    assert measured == pytest.approx(duration_ms, abs=0.012)
    assert not cut


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6, -1.0])
def test_durations_do_not_depend_on_scale_or_polarity(scale):
    waveform = spike(0.4, 30000.0)
    assert measure_trough_to_peak_ms(scale * waveform, 30000.0) == measure_trough_to_peak_ms(waveform, 30000.0)
    assert measure_peak_trough_us(scale * waveform, 30000.0) == measure_peak_trough_us(waveform, 30000.0)


def test_an_offset_does_not_change_trough_to_peak():
    waveform = spike(0.4, 30000.0)
    assert measure_trough_to_peak_ms(waveform + 5.0, 30000.0) == measure_trough_to_peak_ms(waveform, 30000.0)


def test_a_waveform_that_ends_before_its_peak_is_cut():
    for measure in (measure_trough_to_peak_ms, measure_peak_trough_us):
        assert measure(spike(0.6, 30000.0, after_ms=0.4), 30000.0)[1]


def test_peak_to_trough_counts_samples():
    waveform = np.zeros(82)
    waveform[40], waveform[52] = -5.0, 2.0
    assert measure_peak_trough_us(waveform, 30000.0) == (pytest.approx(400.0), False)


def test_the_autocorrelogram_of_a_clock():
    train_s = np.arange(0.005, 100.0, 0.01)
    rate_hz = correlate_narrowly(train_s, RUNS_S)
    lags_ms = 0.5 * (1 + np.flatnonzero(rate_hz))
    assert lags_ms.tolist() == [10.0, 20.0, 30.0, 40.0, 50.0]
    assert rate_hz[19] == pytest.approx(2000.0, rel=0.01)


def test_the_autocorrelogram_of_a_poisson_train_is_its_rate():
    rng = np.random.default_rng(0)
    train_s = np.sort(rng.uniform(0, 200, 4000))
    assert correlate_narrowly(train_s, RUNS_S)[1:].mean() == pytest.approx(20.0, rel=0.05)


@pytest.mark.parametrize("rise_ms", [2.0, 5.0, 8.0, 12.0])
def test_the_time_constant_of_a_rise_is_found(rise_ms):
    lags_ms = 0.5 * np.arange(1, 101)
    x = lags_ms - 1.0
    curve = np.maximum(40 * (np.exp(-x / 60) - np.exp(-x / rise_ms)) + 3, 0)
    assert fit_rise_ms(curve) == pytest.approx(rise_ms, rel=0.25)


def test_a_fit_to_nothing_ends():
    assert 0 < fit_rise_ms(np.zeros(100)) <= 50


def test_firing_recovers_after_its_refractory_time():
    rng = np.random.default_rng(1)
    intervals = 0.06 + rng.exponential(0.1, 2000)
    train_s = np.cumsum(intervals)
    runs_s = np.array([[0.0, train_s[-1] + 1]])
    assert measure_suppression_ms(train_s, runs_s) == pytest.approx(60.0, abs=4.0)
    assert np.isnan(measure_suppression_ms(np.array([0.5]), runs_s))


def test_share_of_time_in_long_intervals():
    train_s = np.array([0.0, 1.0, 4.0, 5.0, 15.0])
    runs_s = np.array([[0.0, 5.5], [14.0, 20.0]])  # the last interval spans a gap
    assert measure_long_share(train_s, runs_s, 2.0) == pytest.approx(3 / 5)
    assert np.isnan(measure_long_share(train_s[:1], runs_s, 2.0))


@pytest.mark.parametrize(
    ("region", "part"),
    [
        *[(name, "hippocampus") for name in ("CA1", "CA3sp", "CA1 left", "left CA1", "DG-mo", "DG", "HPF", "dCA1")],
        *[(name, "hippocampus") for name in ("Hippocampus", "hippocampal CA1", "dentate gyrus", "SUB", "ProS")],
        *[
            (name, "cortex")
            for name in ("VISp2/3", "VISp", "SSp-bfd5", "MOs6a", "ACAd", "RSPagl", "ENTl", "PL", "AUDp4")
        ],
        *[(name, "cortex") for name in ("S1", "mPFC", "Primary visual cortex", "cortex", "right V1", "M1_L", "ORBvl")],
        *[
            (name, "striatum")
            for name in ("CP", "STR", "striatum", "dorsal striatum", "Caudoputamen", "DMS", "ACB", "NAc")
        ],
        *[
            (name, "")
            for name in ("LP", "LGd", "MB", "APN", "SCig", "PO", "", "POL", "subcortical white matter", "PS", "CB")
        ],
    ],
)
def test_parts_of_the_brain(region, part):
    assert find_part(region) == part

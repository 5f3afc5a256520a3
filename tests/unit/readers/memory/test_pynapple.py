"""Objects of pynapple, by what they offer."""

import numpy as np
import pytest

from nwb_neurid import NeuridError, read
from nwb_neurid.readers import reader_for
from nwb_neurid.readers.memory import PLUGIN


class Support:
    """As an `IntervalSet` of pynapple has its values."""

    def __init__(self, values):
        self.values = np.array(values, float)


def of_pynapple(name, *bases, **parts):
    """An object of a class that is called as one of pynapple."""
    return type(name, bases, {"__module__": "pynapple.core.made", **parts})()


def made_group(trains, support, columns):
    keys = {key: of_pynapple("Ts", t=np.array(train), time_support=Support(support)) for key, train in trains.items()}
    return of_pynapple(
        "TsGroup",
        time_support=Support(support),
        metadata_columns=["rate", *columns],
        keys=lambda _: keys.keys(),
        __getitem__=lambda _, key: keys[key],
        get_info=lambda _, name: np.array(columns[name], object),
    )


def made_frame(times, values, support, columns=None):
    return of_pynapple(
        "TsdFrame",
        t=np.array(times),
        values=np.array(values),
        time_support=Support(support),
        **({} if columns is None else {"columns": columns}),
    )


def real_group(trains, support, columns):
    nap = pytest.importorskip("pynapple", reason="pynapple is not installed")
    interval = nap.IntervalSet(*np.array(support, float).T)
    made = {key: nap.Ts(np.array(train)) for key, train in trains.items()}
    return nap.TsGroup(made, time_support=interval, metadata=columns)


def real_frame(times, values, support, columns=None):
    nap = pytest.importorskip("pynapple", reason="pynapple is not installed")
    interval = nap.IntervalSet(*np.array(support, float).T)
    return nap.TsdFrame(t=np.array(times), d=np.array(values), time_support=interval, columns=columns)


GROUPS = pytest.mark.parametrize("make", [made_group, real_group], ids=["made", "pynapple"])
FRAMES = pytest.mark.parametrize("make", [made_frame, real_frame], ids=["made", "pynapple"])
TRAINS = {3: [1.0, 2.0, 9.5], 7: [12.0], 5: [0.0, 20.0]}
SUPPORT = [[0.0, 10.0], [12.0, 20.0]]


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Some epochs have no duration", "ignore:divide by zero"
)
@GROUPS
def test_a_group_is_a_recording(make):
    source = make(TRAINS, SUPPORT, {"cell_type": ["PV", "SST", "unknown"], "depth": [1.0, 2.0, 3.0]})
    assert reader_for(source) is PLUGIN
    population = read(source)
    found = {id_: population.spikes.train_s(row).tolist() for row, id_ in enumerate(population.unit_ids.tolist())}
    assert found == {key: sorted(train) for key, train in TRAINS.items()}
    np.testing.assert_allclose(population.observed_s, SUPPORT, atol=1e-5)
    types = dict(zip(population.unit_ids.tolist(), population.labels["cell_type"].tolist(), strict=True))
    assert sorted(types.values()) == ["", "PV", "SST"]
    assert len(read(source, where="depth > 1.5").excluded) == 1
    assert read(source, stop_s=5.0).observed_s.tolist() == [[0, 5]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@FRAMES
def test_a_frame_is_a_recording(make):
    times = np.r_[np.arange(100), np.arange(200, 300)] / 10
    values = np.random.default_rng(0).normal(size=(200, 3))
    population = read(make(times, values, [[0.0, 30.0]], ["a", "b", "c"]))
    traces = population.traces
    assert traces.rate_hz == pytest.approx(10)
    assert population.unit_ids.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(traces.values[:, :100], values[:100].T, rtol=1e-6)
    np.testing.assert_allclose(traces.values[:, 200:], values[100:].T, rtol=1e-6)
    assert np.isnan(traces.values[:, 100:200]).all()
    np.testing.assert_allclose(population.observed_s, [[0, 10], [20, 30]], atol=1e-5)


def test_a_train_and_a_trace_alone_are_recordings():
    train = of_pynapple("Ts", t=np.array([1.0, 2.0]), time_support=Support([[0.0, 5.0]]))
    assert read(train).spikes.train_s(0).tolist() == [1, 2]
    values = np.random.default_rng(0).normal(size=50)
    trace = of_pynapple("Tsd", t=np.arange(50) / 5, values=values, time_support=Support([[0.0, 9.8]]))
    np.testing.assert_allclose(read(trace, activity="deconvolved").traces.values[0], values, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate_hz": 10.0}, "A pynapple TsGroup has times in seconds: leave out rate_hz."),
        ({"where": "snr > 2"}, "pynapple TsGroup of 3 units has no column snr"),
        ({"start_s": 100.0}, "was not observed between 100 s and its end"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(NeuridError, match=words):
        read(made_group(TRAINS, SUPPORT, {}), **options)

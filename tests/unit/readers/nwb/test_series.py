"""When the samples of a series were taken."""

import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.series import sample_times_s

SAMPLES = np.array([0, 3])


def series(opening, **contents):
    return opening({f"acquisition/series/{place}": values for place, values in contents.items()}).group(
        "acquisition/series"
    )


def test_by_rate(opening):
    group = series(opening, starting_time=2.0, **{"starting_time@rate": 10.0})
    np.testing.assert_allclose(sample_times_s(group, SAMPLES), [2.0, 2.3])


@pytest.mark.parametrize("timestamps", [[1.0, 2.0, 4.0, 8.0], [[1], [2], [4], [8]], np.float32([1, 2, 4, 8])])
def test_by_timestamps(opening, timestamps):
    times_s = sample_times_s(series(opening, timestamps=timestamps), SAMPLES)
    np.testing.assert_array_equal(times_s, [1.0, 8.0])


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"timestamps": [1.0, 2.0, 3.0]},
        {"timestamps": [np.nan, 2.0, 3.0, 4.0]},
        {"starting_time": 1.0},
        {"starting_time": 1.0, "starting_time@rate": 0.0},
        {"starting_time": 1.0, "starting_time@rate": -1.0},
        {"starting_time": 1.0, "starting_time@rate": np.nan},
        {"starting_time": 1.0, "starting_time@rate": "fast"},
        {"starting_time": np.inf, "starting_time@rate": 1.0},
        {"starting_time": [1.0, 2.0], "starting_time@rate": 1.0},
    ],
)
def test_a_series_that_does_not_say_is_refused(opening, contents):
    group = series(opening, **{"data": [0.0] * 4, **contents})
    with pytest.raises(InvalidSource) as refused:
        sample_times_s(group, SAMPLES)
    assert str(refused.value) == (
        f"{group.where} must have a timestamp for each sample, or a starting_time with a rate. Validate the file."
    )

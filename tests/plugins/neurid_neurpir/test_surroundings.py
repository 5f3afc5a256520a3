"""Behaviour of any file in the same channels."""

import numpy as np
import pytest

from neurid_neurpir.surroundings import ROLES, find_role, make_channels
from nwb_neurid.covariates import Series


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("behavior/running_speed", "running"),
        ("processing/behavior/wheel_velocity", "running"),
        ("PupilTracking/pupil_raw_area", "pupil"),
        ("lick_times", "licks"),
        ("intervals/trials/contrast_left", "stimulus"),
        ("trials/reward_volume", "reward"),
        ("trials/choice", "trials"),
        ("face_motion_energy", "whisking"),
        ("temperature", ""),
    ],
)
def test_a_series_is_told_by_its_name(name, wanted):
    assert find_role(name) == wanted


def test_channels_are_standardised_and_unknown_ones_are_nan(make_population):
    times = np.arange(0, 20, 0.1)
    speed = Series(values=(5 + 3 * np.sin(times))[:, None].astype(np.float32), times_s=times)
    still = Series(values=np.ones((len(times), 1), np.float32), times_s=times)
    population = make_population(covariates={"running_speed": speed, "pupil_area": still})
    starts_s = population.bin_starts_s(0.1)
    found = make_channels(population, starts_s, 0.1, tuple(ROLES))
    assert found.shape == (len(ROLES), len(starts_s))
    running = found[list(ROLES).index("running")]
    assert np.nanmean(running) == pytest.approx(0, abs=1e-5)
    assert np.nanstd(running) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [name != "running" for name in ROLES])


def test_series_of_one_role_are_averaged(make_population):
    times = np.arange(0, 20, 0.1)
    wave = np.sin(times)[:, None].astype(np.float32)
    one = make_population(covariates={"wheel_speed": Series(values=wave, times_s=times)})
    two = make_population(
        covariates={
            "wheel_speed": Series(values=wave, times_s=times),
            "running_velocity": Series(values=4 * wave + 2, times_s=times),
        }
    )
    starts_s = one.bin_starts_s(0.1)
    np.testing.assert_allclose(
        make_channels(two, starts_s, 0.1, ("running",)), make_channels(one, starts_s, 0.1, ("running",)), atol=1e-5
    )

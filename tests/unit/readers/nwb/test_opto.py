"""Optogenetic time is found wherever files put it, and left out from 300 s before its beginning."""

import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.nwb import opto

LASER = "stimulus/presentation/laser"


@pytest.fixture
def long(sound):
    """A thousand seconds; each unit but the silent one fires at its beginning and at its end."""
    sound["units/spike_times"] = [50.0, 60.0, 950.0, 50.0, 950.0, 60.0]
    sound["units/obs_intervals"] = [[0.0, 1000.0]] * 4
    return sound


def series(path, power, **clock):
    """An OptogeneticSeries, of one sample a second from 100 s."""
    clock = clock or {"starting_time": 100.0, "starting_time@rate": 1.0}
    contents = {f"{path}/{name}": values for name, values in clock.items()}
    return {f"{path}@neurodata_type": "OptogeneticSeries", f"{path}/data": power, **contents}


def pulses(path, starts):
    """A TimeIntervals table."""
    return {f"{path}/id": range(len(starts)), f"{path}/start_time": starts, f"{path}/stop_time": starts}


def power(first_on, samples=800):
    return np.arange(samples) >= first_on


def line(path, start_s, where):
    return (
        f"{path}: optogenetic stimulation from {start_s:g} s ({where}). Observed time ends 300 s before it, at "
        f"{start_s - 300:g} s; --keep-opto keeps all."
    )


def assert_left_out(read, path, start_s, where):
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    told = [str(one.message) for one in warned]
    assert told == [line(path, start_s, where), f"{path}: 2 of 6 spikes lie outside observed time and are left out."]
    assert population.observed_s.tolist() == [[0, start_s - 300]]
    assert population.spikes.counts().tolist() == [2, 1, 0, 1]
    kept = read(path, keep_opto=True)
    assert kept.observed_s.tolist() == [[0, 1000]]
    assert kept.spikes.counts().tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize("place", [LASER, "acquisition/led", "processing/stimuli/blue"])
def test_a_series_begins_at_its_first_sample_that_is_not_zero(read, hdf5, long, place):
    assert_left_out(read, hdf5({**long, **series(place, power(350))}), 450.0, f"/{place}")


@pytest.mark.parametrize(
    "values",
    [power(350).astype(np.int16), -power(350).astype(float), np.column_stack([np.zeros(800), power(350)])],
    ids=["integers", "negative", "several sites"],
)
def test_power_may_be_any_number_at_any_site(read, hdf5, long, values):
    assert_left_out(read, hdf5({**long, **series(LASER, values)}), 450.0, f"/{LASER}")


def test_samples_may_have_timestamps(read, hdf5, long):
    path = hdf5({**long, **series(LASER, [0, 0, 1, 0], timestamps=[10.0, 400.0, 500.0, 600.0])})
    assert_left_out(read, path, 500.0, f"/{LASER}")


def test_long_series_are_read_in_pieces(read, hdf5, long, monkeypatch):
    monkeypatch.setattr(opto, "SAMPLES_AT_ONCE", 64)
    values = np.column_stack([power(350), power(400)])
    assert_left_out(read, hdf5({**long, **series(LASER, values)}), 450.0, f"/{LASER}")


def test_the_type_may_be_stored_as_bytes(read, hdf5, long):
    path = hdf5({**long, **series(LASER, power(350)), f"{LASER}@neurodata_type": np.bytes_(b"OptogeneticSeries")})
    assert_left_out(read, path, 450.0, f"/{LASER}")


@pytest.mark.parametrize(
    "place",
    [
        "intervals/optotagging",
        "intervals/laser_pulses",
        "intervals/PhotoStim",
        "intervals/photo_stimulation",
        "stimulus/presentation/OptogeneticEpochs",
        "processing/behavior/laser",
        "processing/optotagging/optogenetic_stimulation",
    ],
)
def test_intervals_whose_name_or_module_tells_of_light(read, hdf5, long, place):
    assert_left_out(read, hdf5({**long, **pulses(place, [700.0, np.nan, 450.0])}), 450.0, f"/{place}")


def test_the_earliest_of_several_counts(read, hdf5, long):
    path = hdf5({**long, **series(LASER, power(500)), **pulses("intervals/optotagging", [450.0])})
    assert_left_out(read, path, 450.0, "/intervals/optotagging")


@pytest.mark.parametrize(
    "contents",
    [
        series(LASER, np.zeros(800)),
        series(LASER, np.full(800, np.nan)),
        series(LASER, []),
        pulses("intervals/optotagging", []),
        pulses("intervals/optotagging", [np.nan]),
        pulses("intervals/optokinetic_drum", [450.0]),
        pulses("intervals/optomotor_response", [450.0]),
        pulses("processing/optophysiology/bouts", [450.0]),
        {**pulses("intervals/OptogeneticEpochs", [450.0]), "intervals/OptogeneticEpochs/stimulation_on": [False]},
        pulses("intervals/trials", [450.0]),
        {"stimulus/presentation/image@neurodata_type": "ImageSeries", "stimulus/presentation/image/data": power(0)},
        {"intervals/optotagging/id": [0]},
    ],
    ids=[
        "dark",
        "NaN",
        "no samples",
        "no rows",
        "no start",
        "drum",
        "motor",
        "imaging",
        "off",
        "trials",
        "image",
        "no columns",
    ],
)
def test_without_stimulation_all_time_stays(read, hdf5, long, contents):
    assert read(hdf5({**long, **contents})).observed_s.tolist() == [[0, 1000]]


def test_stimulation_long_after_the_end_takes_nothing(read, hdf5, long):
    assert read(hdf5({**long, **pulses("intervals/laser", [1300.0])})).observed_s.tolist() == [[0, 1000]]


@pytest.mark.parametrize("start_s", [-5.0, 10.0, 300.0])
def test_nothing_left_is_refused(read, hdf5, long, start_s):
    path = hdf5({**long, **pulses("intervals/laser", [start_s])})
    with (
        pytest.warns(NeuridWarning, match="optogenetic stimulation from"),
        pytest.raises(UnreadableSource) as refused,
    ):
        read(path)
    assert str(refused.value) == (
        f"{path} has no observed time left: all of it is declared invalid, or follows optogenetic stimulation "
        "(--keep-opto keeps that)."
    )
    assert read(path, keep_opto=True).observed_s.tolist() == [[0, 1000]]


def test_invalid_time_goes_even_where_optogenetic_time_is_kept(read, hdf5, long):
    invalid = {"intervals/invalid_times/id": [0], "intervals/invalid_times/start_time": [100.0]}
    path = hdf5({**long, **pulses("intervals/laser", [450.0]), **invalid, "intervals/invalid_times/stop_time": [900.0]})
    assert read(path, keep_opto=True).observed_s.tolist() == [[0, 100], [900, 1000]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {f"{LASER}/data": None},
            "has no data, so it is unknown when the laser was on. Validate the file, or pass --keep-opto to keep all "
            "time.",
        ),
        (
            {f"{LASER}/starting_time": None, f"{LASER}/starting_time@rate": None},
            "must have a timestamp for each sample, or a starting_time with a rate. Validate the file.",
        ),
    ],
)
def test_stimulation_at_a_time_that_is_not_told_is_refused(read, hdf5, long, change, fault):
    path = hdf5({**long, **series(LASER, power(350)), **change})
    with pytest.raises(InvalidSource) as refused:
        read(path)
    assert str(refused.value) == f"{path}: /{LASER} {fault}"
    assert len(read(path, keep_opto=True)) == 4


def test_epochs_without_light_do_not_count(read, hdf5, long):
    epochs = {**pulses("intervals/opto_epochs", [100.0, 450.0, 500.0])}
    path = hdf5({**long, **epochs, "intervals/opto_epochs/stimulation_on": [False, True, True]})
    assert_left_out(read, path, 450.0, "/intervals/opto_epochs")


def test_the_type_of_a_table_tells_of_light_too(read, hdf5, long):
    path = hdf5(
        {**long, **pulses("intervals/blocks", [450.0]), "intervals/blocks@neurodata_type": "OptogeneticEpochsTable"}
    )
    assert_left_out(read, path, 450.0, "/intervals/blocks")


TRIALS = "intervals/trials"


def trials(**columns):
    """Ten trials of 60 s, one every 100 s, with these columns."""
    starts = 100.0 * np.arange(10)
    contents = {"id": range(10), "start_time": starts, "stop_time": starts + 60, **columns}
    return {f"{TRIALS}/{name}": values for name, values in contents.items()}


def lit(*rows, on=1.0, off=0.0):
    return [on if row in rows else off for row in range(10)]


@pytest.mark.parametrize(
    ("columns", "by"),
    [
        ({"photostim_onset": lit(2, 9, on="1.85", off="N/A")}, "photostim_onset"),
        ({"photostim_onset": lit(2, 9, on=1.85, off=np.nan)}, "photostim_onset"),
        ({"photo_stim_power": lit(2, 9, on=5.0)}, "photo_stim_power"),
        ({"photo_stim_power": lit(2, 9, on="5.0", off="")}, "photo_stim_power"),
        ({"photostim_duration": lit(2, 9, on="0.5", off="N/A")}, "photostim_duration"),
        ({"opto": lit(2, 9)}, "opto"),
        ({"optogenetic_stimulation": lit(2, 9, on=True, off=False)}, "optogenetic_stimulation"),
        ({"is_laser_trial": lit(2, 9)}, "is_laser_trial"),
        ({"photo_stim": lit(2, 9), "photo_stim_power": lit(*range(9), on=5.0)}, "photo_stim"),
        ({"laser_on": lit(), "laser_power": lit(2, 9, on=5.0)}, "laser_power"),
    ],
)
def test_trials_with_light_are_left_out_where_a_column_says_so(read, hdf5, long, columns, by):
    path = hdf5({**long, **trials(**columns)})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: 2 trials with optogenetic stimulation (/{TRIALS}/{by}) are left out of observed time; --keep-opto "
        "keeps them.",
        f"{path}: 2 of 6 spikes lie outside observed time and are left out.",
    ]
    assert population.observed_s.tolist() == [[0, 200], [260, 900], [960, 1000]]
    assert read(path, keep_opto=True).observed_s.tolist() == [[0, 1000]]


@pytest.mark.parametrize(
    "columns",
    [
        {"photostim_onset": lit(off="N/A")},
        {"photostim_power": lit(*range(10), on=5.0)},
        {"laser_power": lit(2, on=np.nan, off=np.nan)},
        {"photo_stim_type": lit(2, on="stimulation", off="N/A")},
        {"laser_wavelength": lit(2, on=473.0)},
        {"opto": lit(2, on=7.0, off=3.0)},
        {"optokinetic_onset": lit(2)},
        {"stimulus_onset": lit(2)},
        {"laser_onset": [[1.0, 2.0]] * 10},
    ],
)
def test_columns_that_do_not_say_it_plainly_take_nothing(read, hdf5, long, columns):
    assert read(hdf5({**long, **trials(**columns)})).observed_s.tolist() == [[0, 1000]]


def test_a_trial_without_an_end_ends_with_the_next(read, hdf5, long):
    path = hdf5({**long, **trials(opto=lit(2, 9)), f"{TRIALS}/stop_time": [np.nan] * 10})
    with pytest.warns(NeuridWarning):
        assert read(path).observed_s.tolist() == [[0, 200], [300, 900]]


def described(path, text, **tables):
    return {**pulses(path, [450.0]), f"{path}@description": text}


@pytest.mark.parametrize(
    "contents",
    [
        described("intervals/laser_pain_stimuli", "CO2 laser to the paw"),
        described("intervals/laser_stimuli", "CO2 laser pulses"),
        described("intervals/laser", "noxious heat by a thulium laser at the skin"),
        described("intervals/CO2_laser", "stimuli"),
        described("intervals/laser_evoked_potentials", ""),
        described("processing/behavior/laser_doppler_epochs", "flow"),
        described("intervals/imaging_laser_on", "when the microscope scanned"),
        described("intervals/laser_pointer", "the mouse chased it"),
        {**trials(laser_onset=lit(2, 5)), f"{TRIALS}/laser_onset@description": "onset of the CO2 laser"},
        {**trials(laser_on=lit(2, 5)), f"{TRIALS}@description": "laser heat to the tail"},
    ],
)
def test_other_lasers_are_no_light_on_neurons(read, hdf5, long, contents):
    assert read(hdf5({**long, **contents})).observed_s.tolist() == [[0, 1000]]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("intervals/laser", "473 nm, on inhibitory neurons"),
        ("intervals/laser_stimuli", "no description"),
        ("intervals/optotagging_pain", "heat"),
        ("intervals/photostim", "pulses at the skin above"),
    ],
)
def test_light_on_neurons_is_found_by_its_name_whatever_else_is_said(read, hdf5, long, path, text):
    assert_left_out(read, hdf5({**long, **described(path, text)}), 450.0, f"/{path}")

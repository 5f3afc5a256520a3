"""What the encoder measures, and how it learns."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from neurid_company import PLUGIN, correlation, traces
from neurid_company.clock import Clock
from neurid_company.config import CompanyConfig
from neurid_company.correlation import Signals, find_neighbours, load, standardise
from neurid_company.portrait import measure_spikes, measure_traces
from neurid_company.projection import Projection, draw_rotation
from neurid_company.segments import draw_halves
from neurid_company.traces import Film
from neurid_company.traces import describe as describe_traces
from neurid_company.transmission import GROUPS, QUANTILES, describe
from nwb_neurid import new_model
from nwb_neurid.contracts import TrainingOptions, silent
from nwb_neurid.errors import CannotTrain, InvalidModel, InvalidPopulation, WrongWeights
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.testing import mock_population


def encoder_of(preset="spikes", **settings):
    config = {**PLUGIN.presets[preset], **settings}
    return PLUGIN.build(config, PLUGIN.initial_state(config, 0), "cpu")


def population_of(trains_s, stop_s, **parts):
    return Population(
        unit_ids=np.arange(len(trains_s)),
        activity=Spikes.of(trains_s),
        observed_s=np.array([[0.0, stop_s]]),
        **parts,
    )


def communities(units=24, seconds=120.0, seed=0):
    """Units of two groups, each with a slow drive of its own."""
    rng = np.random.default_rng(seed)
    bins = int(seconds * 50)
    drive = np.exp(rng.standard_normal((2, bins // 25)).repeat(25, axis=1))
    trains = []
    for unit in range(units):
        counts = rng.poisson(0.1 * drive[unit % 2][:bins])
        at = np.repeat(np.arange(len(counts)), counts) + rng.uniform(size=counts.sum())
        trains.append(np.sort(at / 50))
    return population_of(trains, seconds)


class TestBlocks:
    def test_they_fill_the_vector_in_order(self):
        config = CompanyConfig(activity="spikes", own=3, company=4, rounds=2, waveform=True)
        assert {name: (block.start, block.stop) for name, block in config.blocks.items()} == {
            "own": (0, 3),
            "company": (3, 7),
            "neighbours_1": (7, 14),
            "neighbours_2": (14, 21),
            "waveform": (21, 37),
        }
        assert config.dim == 37

    def test_dimensions_are_called_after_them(self):
        names = encoder_of(own=4, company=4).embed(communities()).name_dimensions()
        sizes = {"own": 4, "company": 4, "neighbours_1": 8, "neighbours_2": 8, "waveform": 16}
        assert names == tuple(f"{block}_{axis}" for block, size in sizes.items() for axis in range(size))

    def test_settings_are_checked(self):
        with pytest.raises(InvalidModel, match="own must be a positive whole number, got 0"):
            PLUGIN.build({**PLUGIN.presets["spikes"], "own": 0}, {}, "cpu")

    def test_own_timing_does_not_depend_on_others(self):
        whole = communities()
        encoder = encoder_of()
        alone = encoder.embed(whole.select(np.arange(12))).vectors
        found = encoder.embed(whole).vectors[:12]
        np.testing.assert_allclose(found[:, :32], alone[:, :32], rtol=1e-5)


class TestOwnOfNeighbours:
    def test_the_company_says_how_the_timing_of_the_neighbours_differs(self):
        population = communities()
        config = {**PLUGIN.presets["spikes-transfer"], "neighbours": 3}
        state = PLUGIN.initial_state(config, 0)
        found = PLUGIN.build(config, state, "cpu").embed(population)
        without = PLUGIN.build({**config, "own_of_neighbours": 0}, state, "cpu").embed(population).vectors
        assert found.name_dimensions()[32:72] == tuple(f"company_{axis}" for axis in range(40))
        turned = found.vectors[:, 32:72] @ draw_rotation(40).T
        np.testing.assert_allclose(turned[:, :32], without[:, 32:64], atol=1e-4)
        measured = measure_spikes(population, silent)
        leading = (without[:, :32] @ draw_rotation(32).T)[:, :8]
        heard = find_neighbours(measured.loadings, measured.usable, 3).average(leading - leading.mean(axis=0))
        np.testing.assert_allclose(turned[:, 32:], heard, atol=1e-4)
        np.testing.assert_array_equal(
            found.vectors[:, [*range(32), *range(72, 88)]], without[:, [*range(32), *range(64, 80)]]
        )

    def test_the_order_of_units_changes_nothing(self):
        encoder, population = encoder_of("spikes-transfer"), communities()
        order = np.random.default_rng(0).permutation(len(population))
        turned = encoder.embed(population.select(order)).vectors
        np.testing.assert_allclose(turned, encoder.embed(population).vectors[order], atol=1e-4)

    def test_it_has_no_more_dimensions_than_own(self):
        message = "own_of_neighbours must be at most own, 4, got 5"
        with pytest.raises(InvalidModel, match=message):
            encoder_of("spikes-transfer", own=4, own_of_neighbours=5)


class TestNeighbours:
    def test_they_are_of_the_same_community(self):
        measured = measure_spikes(communities(), silent)
        neighbours = find_neighbours(measured.loadings, measured.usable, 40)
        assert neighbours.rows.shape == (24, 3)
        same = neighbours.rows % 2 == np.arange(24)[:, None] % 2
        assert same.mean() > 0.95
        np.testing.assert_allclose(neighbours.weights.sum(axis=1), 1)

    def test_a_sketch_finds_what_the_whole_matrix_shows(self, monkeypatch):
        rng = np.random.default_rng(0)
        signals = Signals.of(rng.standard_normal((90, 3)) @ rng.standard_normal((3, 400)))
        exact = load(signals)
        monkeypatch.setattr(correlation, "EXACT_UNITS", 10)
        sketched = load(signals)
        similar = [
            pointing @ pointing.T
            for pointing in (part / np.linalg.norm(part, axis=1)[:, None] for part in (exact, sketched))
        ]
        assert np.abs(similar[0] - similar[1]).max() < 0.05

    def test_one_unit_has_none(self):
        found = encoder_of().embed(communities().select(np.array([0]))).vectors
        assert np.isfinite(found).all()
        assert not found[0, 64:192].any()

    def test_a_unit_that_moves_with_nobody_changes_others_little(self):
        whole = communities()
        stranger = np.sort(np.random.default_rng(9).uniform(0, 120, 400))
        trains = [whole.spikes.train_s(unit) for unit in range(len(whole))]
        encoder = encoder_of()
        encoder.fit([whole], TrainingOptions(steps=4))
        before = encoder.embed(whole).vectors
        after = encoder.embed(population_of([*trains, stranger], 120.0)).vectors[:-1]
        cosine = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
        assert cosine.min() > 0.85


class TestStandardised:
    def test_rows_have_mean_0_and_norm_1_as_in_double_precision(self):
        rng = np.random.default_rng(0)
        for values in (rng.poisson(0.2, (3, 20_001)).astype(np.uint8), rng.standard_normal((3, 20_001), np.float32)):
            centred = (values - values.mean(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
            norm = np.sqrt(np.einsum("ij,ij->i", centred, centred, dtype=np.float64))[:, None]
            np.testing.assert_array_equal(standardise(values), (centred / norm).astype(np.float32))
        assert not standardise(np.ones((2, 9), np.uint8)).any()

    def test_it_takes_no_memory_beside_what_it_returns(self):
        counts = np.ones((4, 1_000_000), np.uint8)
        tracemalloc.start()
        try:
            found = standardise(counts)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.2 * found.nbytes


class TestTransmission:
    def test_excitation_and_inhibition_show_in_the_extremes(self):
        rng = np.random.default_rng(0)
        driver = np.sort(rng.uniform(0, 300, 3000))
        excited = np.sort(np.r_[driver[::3] + 0.0045, rng.uniform(0, 300, 2000)])
        others = [np.sort(rng.uniform(0, 300, 3000)) for _ in range(4)]
        busy = np.sort(rng.uniform(0, 300, 9000))
        gap = busy - driver[np.clip(np.searchsorted(driver, busy) - 1, 0, None)]
        silenced = busy[(gap < 0.003) | (gap > 0.006)]
        features = describe(Clock.of(population_of([driver, excited, silenced, *others], 300.0)), 0.0)
        highest = features[:, : len(QUANTILES) * 3 * GROUPS].reshape(7, len(QUANTILES), 3 * GROUPS)
        assert highest[0, -1, 1] > 2.5
        assert highest[0, 0, 1] < -2.5
        assert highest[3:, -1, 1].max() < 2.5

    def test_times_too_coarse_for_it_mask_it(self):
        assert np.isnan(describe(Clock.of(communities()), 0.01)).all()


class TestImaging:
    def test_half_a_frame_a_second_is_enough(self):
        found = encoder_of("imaging").embed(mock_population("dff", rate_hz=0.5, duration_s=300.0))
        assert np.isfinite(found.vectors[:-1]).all()

    def test_a_constant_trace_has_a_reason(self):
        values = np.random.default_rng(0).standard_normal((5, 300)).astype(np.float32)
        values[2] = 1.0
        found = encoder_of("imaging").embed(traces_of(values))
        assert found.reasons.tolist() == ["", "", "constant, or fewer than 4 frames, in observed time", "", ""]

    def test_sizes_show_in_the_own_block_of_those_who_have_them(self):
        rng = np.random.default_rng(0)
        values = rng.standard_normal((8, 600)).astype(np.float32)
        louder = values.copy()
        louder[2] = 3 * louder[2] + 1
        for preset, told in (("imaging", False), ("imaging-dff", True)):
            encoder = encoder_of(preset)
            before, after = (encoder.embed(traces_of(part)).vectors for part in (values, louder))
            np.testing.assert_allclose(before[:, 48:], after[:, 48:], atol=1e-3)
            assert np.allclose(before[2, :48], after[2, :48], atol=1e-3) != told

    def test_sizes_are_in_the_units_of_the_traces(self):
        values = 2 + 0.5 * np.random.default_rng(0).standard_normal((3, 4000)).astype(np.float32)
        sizes = describe_traces(Film.of(traces_of(values)), sizes=True)[:, -traces.SIZES_DIM :]
        middle = len(traces.QUANTILES) // 2
        np.testing.assert_allclose(sizes[:, :2], np.log([[np.exp(2), 2]] * 3), atol=0.03)
        np.testing.assert_allclose(sizes[:, 2 + middle], 2, atol=0.03)
        np.testing.assert_allclose(sizes[:, 2 + middle + 2], 2 + 0.5 * 1.28, atol=0.05)
        change = sizes[:, 2 + len(traces.QUANTILES) :].reshape(3, len(traces.CHANGES_S), 5)[:, -1]
        np.testing.assert_allclose(change[:, 0], np.log(0.5 * np.sqrt(2)), atol=0.1)
        np.testing.assert_allclose(change[:, 3], 0.5 * np.sqrt(2) * 1.28, atol=0.1)

    @pytest.mark.parametrize("kind", ["dff", "fluorescence", "deconvolved"])
    def test_sizes_are_told_from_10_s_at_half_a_frame_a_second(self, kind):
        population = mock_population(kind, rate_hz=0.5, duration_s=10.0)
        found = new_model("company", preset="imaging-dff", untrained=True).embed(population)
        assert np.isfinite(found.vectors[found.reasons == ""]).all()
        assert (found.reasons == "").sum() >= len(population) - 1

    def test_missing_samples_are_at_the_mean(self):
        values = np.random.default_rng(0).standard_normal((5, 300)).astype(np.float32)
        values[1, 50:60] = np.nan
        assert np.isfinite(encoder_of("imaging").embed(traces_of(values)).vectors).all()

    def test_gain_and_offset_mean_nothing(self):
        values = np.random.default_rng(0).standard_normal((6, 400)).astype(np.float32).cumsum(axis=1)
        encoder = encoder_of("imaging")
        expected = encoder.embed(traces_of(values)).vectors
        found = encoder.embed(traces_of(3 * values + 100)).vectors
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)

    def test_many_frames_are_averaged(self):
        film = Film.of(mock_population("dff", rate_hz=30.0))
        assert film.rate_hz == 5.0

    def test_spikes_are_refused(self):
        with pytest.raises(InvalidPopulation, match="needs traces"):
            measure_traces(communities(), silent)


def traces_of(values):
    return Population(
        unit_ids=np.arange(len(values)),
        activity=Traces(values=values, rate_hz=5.0),
        observed_s=np.array([[0.0, values.shape[1] / 5]]),
    )


class TestProjection:
    def test_it_finds_what_stays_the_same(self):
        rng = np.random.default_rng(0)
        steady = rng.standard_normal((200, 2))
        views = [np.c_[steady + 0.1 * rng.standard_normal((200, 2)), rng.standard_normal((200, 6))] for _ in range(2)]
        projection = Projection.draw(8, 2, rng, relative=False, sharpness=0.5)
        projection.add(*views)
        projection.solve()
        noise, signal = projection.compare(*views)
        assert noise / signal < 0.02
        assert np.abs(projection.directions[2:]).max() < 0.1 * np.abs(projection.directions[:2]).max()

    def test_what_was_never_known_adds_nothing(self):
        rng = np.random.default_rng(0)
        features = rng.standard_normal((50, 4))
        features[:, 2] = np.nan
        projection = Projection.draw(4, 2, rng, relative=True, sharpness=1.0)
        projection.add(features, features)
        projection.solve()
        assert np.isfinite(projection.project(features)).all()


class TestTraining:
    def test_the_same_seed_gives_the_same_weights(self):
        states = []
        for _ in range(2):
            encoder = encoder_of()
            encoder.fit([communities()], TrainingOptions(steps=3, seed=1))
            states.append(encoder.state())
        assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])

    def test_it_goes_on_where_it_stopped(self, tmp_path):
        populations = [communities(), communities(seed=1)]
        whole = encoder_of()
        expected = whole.fit(populations, TrainingOptions(steps=6))
        seen = []

        def stop(step):
            seen.append(step.number)
            if step.number == 3:
                raise KeyboardInterrupt

        checkpoint = tmp_path / "checkpoint"
        part = encoder_of()
        log = part.fit(populations, TrainingOptions(steps=6, checkpoint=checkpoint, watch=stop))
        assert seen == [1, 2, 3]
        assert not log.finished
        again = encoder_of()
        log = again.fit(populations, TrainingOptions(steps=6, checkpoint=checkpoint, resume=True))
        np.testing.assert_array_equal(log.loss, expected.loss)
        for name, array in whole.state().items():
            np.testing.assert_array_equal(again.state()[name], array)

    def test_a_checkpoint_of_another_training_is_refused(self, tmp_path):
        checkpoint = tmp_path / "checkpoint"
        encoder_of().fit([communities()], TrainingOptions(steps=1, checkpoint=checkpoint))
        with pytest.raises(WrongWeights, match="belongs to another training"):
            encoder_of().fit([communities()], TrainingOptions(steps=2, checkpoint=checkpoint, resume=True))

    def test_a_damaged_checkpoint_is_refused(self, tmp_path):
        checkpoint = tmp_path / "checkpoint"
        checkpoint.write_bytes(b"no checkpoint")
        with pytest.raises(WrongWeights, match="cannot be read"):
            encoder_of().fit([communities()], TrainingOptions(steps=2, checkpoint=checkpoint, resume=True))

    def test_more_steps_than_pairs_learn_nothing_more(self):
        encoder = encoder_of()
        log = encoder.fit([communities()], TrainingOptions(steps=4, windows=2))
        assert log.loss[2] == log.loss[3]
        assert len(log.loss) == 4

    def test_what_cannot_be_trained_on_is_listed(self):
        one = replace(communities().select(np.array([0])), source="one")
        short = replace(communities(seconds=15.0), source="short")
        with pytest.raises(CannotTrain) as error:
            encoder_of().fit([one, short], TrainingOptions(steps=1))
        assert error.value.problems == (
            "one: it has a single unit, and training needs two.",
            "short: observed time does not hold two segments of 10 s.",
        )


def test_waveforms_end_the_vector():
    population = mock_population()
    found = encoder_of().embed(population).vectors[:-1, -16:]
    assert np.abs(found).max(axis=1) == pytest.approx(1.0, abs=0.2)
    without = replace(population, waveforms_uv=None, waveform_rate_hz=None)
    assert not encoder_of().embed(without).vectors[:-1, -16:].any()


class TestStability:
    def test_steady_units_are_told_from_units_that_change(self):
        rng = np.random.default_rng(0)
        steady = [np.cumsum(rng.gamma(20, 1 / 200, 3000)) for _ in range(6)]
        slow, burst = np.cumsum(rng.exponential(0.5, 400)), np.cumsum(rng.gamma(0.1, 0.2, 9000))
        changing = [np.r_[slow[slow < 100], 100 + burst[burst < 100]] for _ in range(6)]
        trains = [train[train < 200] for train in [*steady, *changing]]
        stability = encoder_of("spikes-transfer").embed(population_of(trains, 200.0)).stability
        assert (np.abs(stability) <= 1).all()
        assert np.median(stability[:6]) > 0.85
        assert np.median(stability[6:]) < np.median(stability[:6]) - 0.2

    def test_waveforms_are_left_out_of_it(self):
        population = communities()
        shapes = np.random.default_rng(0).standard_normal((len(population), 40)).astype(np.float32)
        known = replace(population, waveforms_uv=shapes, waveform_rate_hz=30e3)
        encoder = encoder_of("spikes-transfer")
        assert encoder.embed(known).stability.tolist() == encoder.embed(population).stability.tolist()

    def test_a_unit_that_fires_in_one_half_alone_has_none(self):
        population = communities()
        trains = [population.spikes.train_s(unit) for unit in range(len(population))]
        trains[3] = trains[3][trains[3] < 50]
        stability = encoder_of().embed(population_of(trains, 120.0)).stability
        assert np.flatnonzero(np.isnan(stability)).tolist() == [3]

    def test_a_recording_too_short_to_halve_has_none(self):
        assert np.isnan(encoder_of().embed(communities(seconds=19.0)).stability).all()

    def test_long_recordings_are_judged_by_the_middle_of_each_half(self):
        first, second = draw_halves(communities(units=2, seconds=1600.0))
        assert first.observed_s.tolist() == [[355.0, 445.0]]
        assert second.observed_s.tolist() == [[1155.0, 1245.0]]

    def test_traces_have_it_too(self):
        stability = encoder_of("imaging").embed(mock_population("dff", duration_s=120.0)).stability
        assert np.isfinite(stability).all()

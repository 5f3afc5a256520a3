"""Behaviour through CEBRA: what latents are, what they learn from, and that a model does without CEBRA."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurid_neurpir import PLUGIN, cebra_time
from neurid_neurpir.cebra_time import Moments, learn
from neurid_neurpir.config import NetworkConfig
from neurid_neurpir.latents import Latents, flag_known, hide_some
from neurid_neurpir.surroundings import ROLES
from nwb_neurid import load_model, new_model
from nwb_neurid.contracts import TrainingOptions, silent
from nwb_neurid.covariates import Series
from nwb_neurid.errors import InvalidModel, InvalidOption
from nwb_neurid.model.fitting import fit
from nwb_neurid.testing import EncoderConformance
from nwb_neurid.testing.populations import mock_population

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="CEBRA wants NumPy below 2 on Windows")

OPTIONS = TrainingOptions(steps=3, windows=2)
RUNNING = list(ROLES).index("running")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(cebra_time, "STEPS", 10)
    monkeypatch.setattr(cebra_time, "BATCH", 64)


def untrained():
    return new_model("neurpir", preset="small-cebra", untrained=True)


def series(times_s, values):
    return Series(values=np.asarray(values, np.float32)[:, None], times_s=times_s)


def running(duration_s=60.0, start_s=0.0):
    times_s = np.arange(0, duration_s, 0.05)
    return {"running_speed": series(times_s + start_s, np.sin(times_s / 3) + np.sin(times_s / 7))}


def learnt(populations, seed=0, roles=tuple(ROLES)):
    latents = Latents(len(roles), 3, 0.02)
    found = learn(latents, populations, bin_s=0.02, roles=roles, masked=0.2, seed=seed, progress=silent)
    return latents, found


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(left.buffers(), right.buffers(), strict=True))


class TestConformance(EncoderConformance):
    """With behaviour, from which CEBRA learns before each training."""

    plugin = PLUGIN
    preset = "small-cebra"

    def make(self, **parts):
        population = super().make(**parts)
        first_s, last_s = population.observed_s.min(), population.observed_s.max()
        return replace(population, covariates=running(last_s - first_s, first_s))


class TestCalciumConformance(EncoderConformance):
    plugin = PLUGIN
    preset = "small-calcium-cebra"


def test_latents_are_what_the_model_of_cebra_gives():
    cebra = cebra_time.import_cebra()
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        model, inputs = cebra.models.init("offset10-model", 4, 32, 5), torch.randn(6, 4, 17)
    latents = Latents(2, 5, 0.1)
    cebra_time.take_over(latents, model)
    with torch.inference_mode():
        torch.testing.assert_close(latents.convolve(inputs), model(inputs))
    assert model.get_offset().left + model.get_offset().right == 10


def test_moments_a_second_apart_lie_near_one_another(monkeypatch):
    monkeypatch.setattr(cebra_time, "STEPS", 80)
    latents, found = learnt([replace(mock_population(), covariates=running())])
    assert found
    times_s = torch.arange(0, 60, 0.02)
    wave = (times_s / 3).sin() + (times_s / 7).sin()
    behaviour = torch.full((1, len(ROLES), len(wave)), torch.nan)
    behaviour[0, RUNNING] = (wave - wave.mean()) / wave.std()
    points = latents(behaviour)[0] / 3**0.5
    torch.testing.assert_close(points.norm(dim=0), torch.ones(len(wave)))
    near = (points[:, 50:] * points[:, :-50]).sum(0).mean()
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(wave)))
    assert near > 0.3 + (points * points[:, order]).sum(0).mean()


def test_the_same_seed_gives_the_same_latents_and_leaves_others_numbers_alone():
    made = [replace(mock_population(), covariates=running())]
    torch.default_generator.manual_seed(3)
    expected = torch.rand(3)
    torch.default_generator.manual_seed(3)
    one, again, other = learnt(made)[0], learnt(made)[0], learnt(made, seed=1)[0]
    assert torch.equal(torch.rand(3), expected)
    assert same(one, again)
    assert not same(one, other)


@pytest.mark.usefixtures("two_threads")
def test_the_same_seed_gives_the_same_model(populations):
    (trained, log), (again, _) = fit(untrained(), populations, OPTIONS), fit(untrained(), populations, OPTIONS)
    assert trained.weights_sha256 == again.weights_sha256
    assert np.isfinite(log.loss).all()
    assert log.notes == ()


def test_a_training_that_goes_on_takes_its_latents_from_the_checkpoint(populations, tmp_path, monkeypatch):
    whole, log = fit(untrained(), populations, OPTIONS)

    def stop(step):
        if step.number == 2:
            raise KeyboardInterrupt

    stopped = replace(OPTIONS, checkpoint=tmp_path / "state", watch=stop)
    fit(untrained(), populations, stopped)
    monkeypatch.setattr("neurid_neurpir.encoder.learn", None)
    resumed, rest = fit(untrained(), populations, replace(stopped, watch=None, resume=True))
    assert resumed.weights_sha256 == whole.weights_sha256
    np.testing.assert_array_equal(rest.loss, log.loss)


def test_a_model_that_is_trained_further_keeps_its_latents(populations):
    trained, _ = fit(untrained(), populations, OPTIONS)
    further, _ = fit(trained, populations, replace(OPTIONS, seed=5))
    before, after = trained.encoder.state(), further.encoder.state()
    kept = [name for name in before if name.startswith("latents.")]
    assert len(kept) == 11
    for name in kept:
        np.testing.assert_array_equal(after[name], before[name])
    assert not np.array_equal(after["around.weight"], before["around.weight"])


def test_a_trained_model_embeds_behaviour_without_cebra(populations, tmp_path, monkeypatch):
    trained, _ = fit(untrained(), populations, OPTIONS)
    expected = trained.embed(populations[0]).vectors
    trained.save(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "cebra", None)
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.embed(populations[0]).vectors, expected)
    blind = replace(populations[0], covariates={})
    found = loaded.embed(blind).vectors
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    assert not np.allclose(found, expected, equal_nan=True)


def test_without_cebra_training_says_what_to_install(populations, monkeypatch):
    monkeypatch.setitem(sys.modules, "cebra", None)
    with pytest.raises(InvalidOption) as told:
        fit(untrained(), populations, OPTIONS)
    assert str(told.value).startswith("This preset embeds behaviour with CEBRA, which cannot be imported (")
    assert "Install it: pip install cebra" in str(told.value)
    assert "\n" not in str(told.value)


def test_cebra_is_imported_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cebra_time.import_cebra().__name__ == "cebra"


def test_without_behaviour_cebra_learns_nothing_and_the_model_never_looks(populations):
    blind = [replace(population, covariates={}) for population in populations]
    trained, log = fit(untrained(), blind, OPTIONS)
    assert log.notes == (f"CEBRA, since no recording has 2 s of behaviour without a gap ({', '.join(ROLES)}).",)
    np.testing.assert_array_equal(trained.embed(populations[0]).vectors, trained.embed(blind[0]).vectors)


def test_a_role_that_nothing_was_learnt_of_is_not_looked_at(populations):
    trained, _ = fit(untrained(), populations, OPTIONS)
    times_s = np.arange(0, 40, 0.05)
    pupil = {"pupil_area": series(times_s, np.cos(times_s))}
    more = replace(populations[0], covariates={**populations[0].covariates, **pupil})
    np.testing.assert_array_equal(trained.embed(more).vectors, trained.embed(populations[0]).vectors)
    only, blind = (replace(populations[0], covariates=covariates) for covariates in (pupil, {}))
    np.testing.assert_array_equal(trained.embed(only).vectors, trained.embed(blind).vectors)


def test_latents_do_with_some_of_the_roles_that_they_learnt():
    times_s = np.arange(0, 60, 0.05)
    both = {**running(), "pupil_area": series(times_s, np.cos(times_s / 2))}
    latents, _ = learnt([replace(mock_population(), covariates=both)])
    assert [role for role, known in zip(ROLES, latents.learnt, strict=True) if known] == ["pupil", "running"]
    behaviour = torch.full((3, len(ROLES), 500), torch.nan)
    behaviour[:2, RUNNING] = torch.sin(torch.arange(500) / 50)
    behaviour[0, list(ROLES).index("pupil")] = torch.cos(torch.arange(500) / 50)
    found = latents(behaviour)
    assert torch.isfinite(found[:2]).all()
    assert not torch.allclose(found[0], found[1], atol=1e-3)
    assert found[2].isnan().all()


@pytest.mark.parametrize("bins", [1, 24, 25, 26, 250])
def test_latents_are_as_long_as_the_segment(bins):
    latents = Latents(2, 3, 0.004)
    latents.learnt.fill_(1)
    assert latents(torch.zeros(2, 2, bins)).shape == (2, 3, bins)


def test_pairs_lie_within_unbroken_time_where_something_is_known():
    times_s = np.arange(0, 100, 0.05)
    speed = np.where(times_s < 50, np.sin(times_s), np.nan)
    gap = mock_population(duration_s=60.0, gap=(4.0, 20.0))  # 4 s, then from 24 s on
    moments = Moments.of(replace(gap, covariates={"running_speed": series(times_s, speed)}), 5, 0.02, ("running",))
    assert moments.behaviour.shape == (1, 600)
    assert not set(moments.first) & set(range(21, 40))
    assert {0, 20, 40} <= set(moments.first)
    last_known = 40 + round((50 - 24) / 0.1)  # the first step of which nothing is known
    assert moments.first.max() + 10 < last_known
    assert moments.find_known().tolist() == [True]
    assert len(Moments.of(replace(gap, covariates={}), 5, 0.02, ("running",)).first) == 0
    short = mock_population(duration_s=1.5)
    assert len(Moments.of(replace(short, covariates=running()), 5, 0.02, ("running",)).first) == 0


def test_what_is_hidden_by_chance_is_never_all_that_is_known():
    behaviour = torch.zeros(1000, 3, 4)
    behaviour[:, 2] = torch.nan
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        hidden = hide_some(behaviour, 0.5).isnan().all(2)
    assert not hidden.all(1).any()
    assert hidden[:, :2].float().mean() == pytest.approx(0.25, abs=0.05)  # half, but for where it would be both
    torch.testing.assert_close(hide_some(behaviour, 0.0), behaviour, equal_nan=True)


def test_cebra_is_told_what_is_known():
    inputs = flag_known(torch.tensor([[[1.0, torch.nan], [torch.nan, -2.0]]]))
    assert inputs.tolist() == [[[1.0, 0.0], [0.0, -2.0], [1.0, 0.0], [0.0, 1.0]]]


def test_training_hides_all_latents_at_once(populations):
    network = fit(untrained(), populations, OPTIONS)[0].encoder._encoder._module
    hidden = network._draw_hidden(torch.ones(500, 4, dtype=torch.bool))
    assert torch.equal(hidden[:, 1], hidden[:, 2])
    assert torch.equal(hidden[:, 1], hidden[:, 3])
    assert 0 < hidden[:, 1].float().mean() < 0.4


def test_models_without_the_key_see_behaviour_itself():
    config = PLUGIN.presets["small"]
    assert "cebra" not in config
    assert NetworkConfig.from_json(config) == NetworkConfig.from_json({**config, "cebra": 0})
    assert not [name for name in PLUGIN.initial_state(config, 0) if name.startswith("latents")]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"cebra": 2}, r"cebra must be 0 for none, or a whole number from 3 to 1000, got 2"),
        ({"cebra": False}, r"cebra must be 0 for none, or a whole number from 3 to 1000, got False"),
        ({"cebra": 3, "behaviour": []}, r"cebra embeds behaviour, so behaviour must not be empty"),
    ],
)
def test_a_config_of_cebra_that_cannot_be_used_is_told(parts, message):
    with pytest.raises(InvalidModel, match=message):
        PLUGIN.initial_state({**PLUGIN.presets["small"], **parts}, 0)

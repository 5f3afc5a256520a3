"""Training: the loss falls, behaviour reaches the network, one seed gives one result."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid import new_model
from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.model.fitting import fit
from nwb_neurid.simulate import simulate


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("preset", ["small", "small-calcium"])
def test_the_loss_falls_and_the_same_seed_gives_the_same_weights(preset):
    simulations = [simulate(12, 95.0, 0, regions=2, animal=animal) for animal in range(2)]
    made = [one.population() if preset == "small" else one.imaged_population() for one in simulations]
    untrained = new_model("neurpir", preset=preset, untrained=True)
    options = TrainingOptions(steps=12, windows=4)
    trained, log = fit(untrained, made, options)
    weights = {fit(untrained, made, replace(options, steps=3))[0].weights_sha256 for _ in range(2)}
    assert len(weights | {untrained.weights_sha256, trained.weights_sha256}) == 3
    assert log.loss[-4:].mean() < 0.97 * log.loss[:4].mean()
    embedded = trained.embed(made[0])
    assert np.isfinite(embedded.vectors[embedded.reasons == ""]).all()
    assert (embedded.reasons == "").sum() >= 10


def test_behaviour_reaches_the_vectors(populations):
    untrained, seen = new_model("neurpir", preset="small", untrained=True), populations[0]
    model, _ = fit(untrained, populations, TrainingOptions(steps=1, windows=2))
    blind = replace(seen, covariates={})
    assert seen.covariates
    np.testing.assert_array_equal(untrained.embed(seen).vectors, untrained.embed(blind).vectors)
    assert not np.allclose(model.embed(seen).vectors, model.embed(blind).vectors)


def test_views_are_as_long_as_observed_time_allows(make_population):
    short = [make_population(units=6, duration_s=30.0, seed=seed) for seed in range(2)]
    _, log = fit(new_model("neurpir", untrained=True), short, TrainingOptions(steps=2, windows=2))
    assert np.isfinite(log.loss).all()


def test_bfloat16_learns_what_float32_does(populations):
    untrained = new_model("neurpir", preset="small", untrained=True)
    exact, coarse = (
        fit(untrained, populations, TrainingOptions(steps=3, windows=2, precision=precision))[1].loss
        for precision in ("float32", "bfloat16")
    )
    np.testing.assert_allclose(coarse, exact, rtol=0.03)

"""A torch module over windows: means over windows, whatever the batches."""

import numpy as np
import pytest
import torch
from torch import nn

from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.training import (
    ContrastiveLoss,
    Recipe,
    TorchEncoder,
    WindowOptions,
    choose_device,
    cut_windows,
    encoder,
    views,
)

SECOND = WindowOptions(bin_s=0.1, token_bins=5, tokens=2)
RECIPE = Recipe(loss=ContrastiveLoss, windows=4, learning_rate=1e-3, max_distance_s=None)


class Means(nn.Module):
    """Mean and spread of a unit's bins, and the mean of all units that are present, times a weight each."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        self.calls = []

    def forward(self, activity, present):
        self.calls.append((tuple(activity.shape), present))
        values = activity.float()
        there = torch.ones(values.shape[:2], dtype=torch.bool) if present is None else present
        own = values.mean(-1)
        everyone = (own * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)
        vectors = torch.stack([own, values.std(-1), everyone.expand_as(own)], -1)
        return torch.where(there[..., None], vectors * self.weight, torch.nan)


@pytest.fixture
def torch_encoder():
    """An encoder of windows of 1 s."""
    return TorchEncoder(Means(), config={"size": 3}, dim=3, options=SECOND, device="cpu", recipe=RECIPE)


def by_hand(population, options=SECOND):
    """Mean over windows, one window and one unit at a time."""
    windows = cut_windows(population, options)
    sums, counts = np.zeros((len(population), 3)), np.zeros(len(population), int)
    for first, active in zip(windows.first, windows.active, strict=True):
        shown = windows.values[:, first : first + options.bins].astype(float)
        everyone = shown[active].mean() if active.any() else 0
        for unit in np.flatnonzero(active):
            own = shown[unit]
            sums[unit] += np.array([own.mean(), own.std(ddof=1), everyone]) * [1, -2, 3]
            counts[unit] += 1
    return sums / np.maximum(counts, 1)[:, None], counts


@pytest.fixture
def patchy(make_population):
    """Units that are silent in some windows, and not observed in others."""
    return make_population(units=7, duration_s=12.0, rate_hz=2.0, absences={1: [(3.0, 9.5)], 2: [(0.0, 12.0)]})


def test_vectors_are_means_over_windows(torch_encoder, patchy):
    embeddings = torch_encoder.embed(patchy)
    vectors, counts = by_hand(patchy)
    assert 0 < counts[1] < 12
    np.testing.assert_array_equal(embeddings.n_windows, counts)
    np.testing.assert_allclose(embeddings.vectors[counts > 0], vectors[counts > 0], rtol=1e-5)
    assert embeddings.provenance.window_s == 1.0
    assert not embeddings.provenance.stitched


@pytest.mark.parametrize(("tokens_per_batch", "padding"), [(1, 0.0), (40, 0.5), (10_000, 1.0)])
def test_batches_and_padding_change_nothing(torch_encoder, patchy, monkeypatch, tokens_per_batch, padding):
    plain = torch_encoder.embed(patchy)
    torch_encoder._module.calls.clear()
    monkeypatch.setattr(views, "most_tokens", lambda _: tokens_per_batch)
    monkeypatch.setitem(views.PADDING, "cpu", padding)
    batched = torch_encoder.embed(patchy)
    np.testing.assert_allclose(batched.vectors, plain.vectors, rtol=1e-6)
    np.testing.assert_allclose(batched.stability, plain.stability, rtol=1e-6)
    padded = [present is not None for _, present in torch_encoder._module.calls]
    assert any(padded) == (padding > 0)


def test_batches_hold_no_more_tokens_than_they_may(torch_encoder, make_population, monkeypatch):
    monkeypatch.setattr(views, "most_tokens", lambda _: 40)
    torch_encoder.embed(make_population(units=5, rate_hz=50.0))
    shapes = [shape for shape, _ in torch_encoder._module.calls]
    assert max(windows * units * SECOND.tokens for windows, units, _ in shapes) <= 40
    assert sum(windows for windows, _, _ in shapes) == 20


def test_windows_without_activity_are_not_computed(torch_encoder):
    population = Population(
        unit_ids=np.arange(2),
        activity=Spikes.of([np.array([0.5]), np.array([0.6, 3.5])]),
        observed_s=np.array([[0.0, 5.0]]),
    )
    torch_encoder.embed(population)
    assert sum(shape[0] for shape, _ in torch_encoder._module.calls) == 2


def test_identical_windows_are_perfectly_stable(torch_encoder):
    train = np.arange(0.05, 8, 0.1)
    population = Population(
        unit_ids=np.arange(2), activity=Spikes.of([train, train[::2]]), observed_s=np.array([[0.0, 8.0]])
    )
    embeddings = torch_encoder.embed(population)
    np.testing.assert_array_equal(embeddings.n_windows, 8)
    np.testing.assert_allclose(embeddings.stability, 1, rtol=1e-6)


@pytest.mark.parametrize(("seconds", "known"), [(3.0, False), (4.0, True)])
def test_stability_needs_four_windows(torch_encoder, make_population, seconds, known):
    embeddings = torch_encoder.embed(make_population(rate_hz=50.0, duration_s=seconds))
    assert np.all(np.isfinite(embeddings.stability) == known)


def test_stability_is_the_cosine_of_two_halves_of_equal_size(torch_encoder, patchy):
    windows = cut_windows(patchy, SECOND)
    half = encoder._split_halves(windows.active)
    for unit, active in enumerate(windows.active.T):
        sides = [np.sum(half[:, unit] == side) for side in (0, 1)]
        assert sum(sides) == active.sum()
        assert abs(sides[0] - sides[1]) <= 1
        assert np.all(half[~active, unit] == -1)
    stability = torch_encoder.embed(patchy).stability
    assert np.nanmax(stability) <= 1 + 1e-6
    assert np.nanmin(stability) < 1


def test_a_vector_of_zeros_has_no_direction():
    zeros = TorchEncoder(Means(), config={}, dim=3, options=SECOND, device="cpu", recipe=RECIPE)
    torch.nn.init.zeros_(zeros._module.weight)
    train = np.arange(0.05, 8, 0.1)
    population = Population(unit_ids=np.arange(1), activity=Spikes.of([train]), observed_s=np.array([[0.0, 8.0]]))
    np.testing.assert_array_equal(zeros.embed(population).stability, 0)


def test_stitched_windows_are_marked(torch_encoder, make_population):
    population = make_population(rate_hz=50.0, duration_s=10.0, gaps=[(s + 0.6, s + 1.0) for s in range(10)])
    embeddings = torch_encoder.embed(population)
    assert embeddings.provenance.stitched
    np.testing.assert_array_equal(embeddings.n_windows, 5)


def test_units_without_a_vector_say_why(torch_encoder, patchy):
    embeddings = torch_encoder.embed(patchy)
    assert embeddings.reasons[2] == "silent or not observed in each of 12 windows of 1 s"
    assert np.isnan(embeddings.vectors[2]).all()
    short = torch_encoder.embed(patchy.slice(0.0, 0.9))
    assert set(short.reasons) == {"observed time holds no whole window of 1 s"}
    assert np.isnan(short.vectors).all()


def test_no_units_are_no_vectors(torch_encoder, make_population):
    assert torch_encoder.embed(make_population(units=0)).vectors.shape == (0, 3)


def test_traces_are_embedded_as_samples_and_notes_are_passed_on():
    values = np.random.default_rng(0).normal(size=(2, 80)).astype(np.float32)
    population = Population(
        unit_ids=np.arange(2), activity=Traces(values=values, rate_hz=20.0), observed_s=np.array([[0.0, 4.0]])
    )
    imaging = TorchEncoder(Means(), config={}, dim=3, options=SECOND, device="cpu", recipe=RECIPE)
    embeddings = imaging.embed(population)
    np.testing.assert_allclose(embeddings.vectors, by_hand(population)[0], rtol=1e-4, atol=1e-5)
    assert embeddings.provenance.notes == ("Traces were resampled from 20 to 10 Hz.",)


def test_progress_counts_the_batches(torch_encoder, patchy):
    seen = []

    def progress(items, *, label="", total=None):
        seen.append((label, total))
        return items

    torch_encoder.embed(patchy, progress=progress)
    ((label, total),) = seen
    assert label == "windows"
    assert total == len(torch_encoder._module.calls) > 0


def test_the_state_is_the_weights(torch_encoder):
    assert torch_encoder.config == {"size": 3}
    assert torch_encoder.dim == 3
    np.testing.assert_array_equal(torch_encoder.state()["weight"], [1, -2, 3])


def test_the_module_does_not_learn_while_it_embeds(torch_encoder, patchy):
    torch_encoder._module.train()
    again = TorchEncoder(torch_encoder._module, config={}, dim=3, options=SECOND, device="cpu", recipe=RECIPE)
    assert not again._module.training
    again.embed(patchy)
    assert again._module.weight.grad is None


def test_a_device_is_one_that_there_is(monkeypatch):
    assert choose_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(InvalidOption, match=r"There is no CUDA device here: choose --device cpu, or auto\."):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"

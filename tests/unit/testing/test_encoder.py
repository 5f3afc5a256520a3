"""A deliberately broken encoder for each rule fails that rule and no other."""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec, silent
from nwb_neurid.contracts.training import TrainingLog
from nwb_neurid.errors import InvalidModel, WrongWeights
from nwb_neurid.population import Spikes
from nwb_neurid.results import Embeddings
from nwb_neurid.testing import EncoderConformance
from nwb_neurid.testing.verdicts import list_rules, run_kit

pytestmark = pytest.mark.usefixtures("without_shape_checks")

SPEC = EncoderSpec(
    name="tiny",
    version="1",
    summary="Rate and regularity, weighted",
    contract=CONTRACT,
    accepts=frozenset({"spikes", "dff"}),
)


@dataclass
class Tiny:
    """A good encoder that learns: statistics of each unit, weighted."""

    weights: np.ndarray
    config: dict = field(default_factory=dict)
    dim = 3

    def state(self):
        return {"weights": self.weights}

    def features(self, population, progress=silent):
        rows, reasons = [], []
        for unit in progress(range(len(population)), label="statistics", total=len(population)):
            values = self.values(population, unit)
            reasons.append("" if len(values) > 1 else "too little to see")
            values = values if len(values) > 1 else np.ones(2)
            rows.append([1.0, values.mean(), values.std()])
        return np.array(rows), reasons

    def values(self, population, unit):
        if isinstance(population.activity, Spikes):
            return population.intervals_s(unit)
        if len(population.runs_s(unit)) == 0:
            return np.empty(0)
        times_s = np.arange(population.activity.values.shape[1]) / population.activity.rate_hz
        times_s = times_s + population.activity.start_s + 1e-6
        seen = np.any([(start <= times_s) & (times_s < stop) for start, stop in population.runs_s(unit)], axis=0)
        return population.activity.values[unit, seen].astype(np.float64)

    def embed(self, population, *, progress=silent):
        features, reasons = self.features(population, progress)
        return Embeddings.of(population, features * self.weights, reasons=reasons)

    def fit(self, populations, options, *, progress=silent):
        features = np.concatenate([self.features(population)[0] for population in populations])
        losses = []
        for _ in progress(range(options.steps), label="training"):
            error = features @ self.weights - 1
            losses.append(float(np.mean(error**2)))
            self.weights = self.stepped(0.05 * 2 * features.T @ error / len(error))
        matched = np.full(options.steps, len(features))
        return TrainingLog(loss=np.array(losses), matched=matched, steps=options.steps, seconds=0.0)

    def stepped(self, change):
        return (self.weights - change).astype(np.float32)


def plugin_of(cls=Tiny, spec=SPEC, **parts):
    def build(config, state, device):
        if config:
            raise InvalidModel(f"There are no settings, got {sorted(config)}.")
        if state.keys() != {"weights"} or state["weights"].shape != (3,):
            raise WrongWeights("weights must be of shape (3,).")
        return cls(state["weights"].copy())

    def initial_state(config, seed):
        return {"weights": np.random.default_rng(seed).normal(size=3).astype(np.float32)}

    return EncoderPlugin(**{"spec": spec, "build": build, "initial_state": initial_state, **parts})


class WrongDtype(Tiny):
    def embed(self, population, *, progress=silent):
        found = super().embed(population, progress=progress)
        return replace(found, vectors=found.vectors.astype(np.float64))


class KeyedById(Tiny):
    def embed(self, population, *, progress=silent):
        found = super().embed(population, progress=progress)
        rows = {unit: row for row, unit in enumerate(population.unit_ids)}
        return replace(found, vectors=found.vectors[[rows[unit] for unit in population.unit_ids]])


class Positional(Tiny):
    def embed(self, population, *, progress=silent):
        found = super().embed(population, progress=progress)
        return replace(found, vectors=found.vectors + np.arange(len(found), dtype=np.float32)[:, None])


class ClockReader(Tiny):
    def features(self, population, progress=silent):
        features, reasons = super().features(population, progress)
        return features + population.observed_s[0, 0], reasons


class Restless(Tiny):
    calls = itertools.count()

    def embed(self, population, *, progress=silent):
        found = super().embed(population, progress=progress)
        return replace(found, vectors=found.vectors + np.float32(1e-6 * (next(self.calls) % 7)))


class Inventive(Tiny):
    def embed(self, population, *, progress=silent):
        features, _ = self.features(population, progress)
        return Embeddings.of(population, features * self.weights)


class AcrossGaps(Tiny):
    def values(self, population, unit):
        return (
            np.diff(population.spikes.train_s(unit)) if self.is_spikes(population) else super().values(population, unit)
        )

    def is_spikes(self, population):
        return isinstance(population.activity, Spikes)


class Boastful(Tiny):
    def embed(self, population, *, progress=silent):
        if population.duration_s < 30:
            return Embeddings.of(population, np.ones((len(population), 3)), reasons=["too short"] * len(population))
        return super().embed(population, progress=progress)


class Silent(Tiny):
    def embed(self, population, *, progress=silent):  # noqa: ARG002 - that is what is wrong with it
        return super().embed(population)


class SilentTraining(Tiny):
    def fit(self, populations, options, *, progress=silent):  # noqa: ARG002 - that is what is wrong with it
        return super().fit(populations, options)


class Talkative(Tiny):
    def embed(self, population, *, progress=silent):
        print("embedding")
        return super().embed(population, progress=progress)


class Climbing(Tiny):
    def stepped(self, change):
        return (self.weights + change).astype(np.float32)


class Idle(Tiny):
    def stepped(self, change):  # noqa: ARG002 - that is what is wrong with it
        return self.weights


class Seeding(Tiny):
    def embed(self, population, *, progress=silent):
        np.random.seed(0)  # noqa: NPY002
        return super().embed(population, progress=progress)


def writing_into_its_state():
    class Writing(Tiny):
        def fit(self, populations, options, *, progress=silent):
            log = super().fit(populations, options, progress=progress)
            self.given[:] = self.weights
            return log

    good = plugin_of(Writing)

    def build(config, state, device):
        encoder = good.build(config, state, device)
        encoder.given = state.get("weights")
        return encoder

    return replace(good, build=build)


def careless():
    def build(config, state, device):
        return Tiny(state["weights"])

    return plugin_of(build=build)


BROKEN = {
    "test_every_unit_has_its_row_in_float32": plugin_of(WrongDtype),
    "test_units_are_told_by_row_where_ids_repeat": plugin_of(KeyedById),
    "test_permuted_units_are_permuted_rows": plugin_of(Positional),
    "test_the_session_clock_means_nothing": plugin_of(ClockReader),
    "test_the_same_input_gives_the_same_vectors": plugin_of(Restless),
    "test_an_unseen_unit_is_nan_with_a_reason": plugin_of(Inventive),
    "test_unobserved_time_changes_nothing": plugin_of(AcrossGaps),
    "test_the_spec_is_honest": plugin_of(Boastful, replace(SPEC, min_observed_s=10.0)),
    "test_progress_is_reported": plugin_of(Silent),
    "test_nothing_is_printed": plugin_of(Talkative),
    "test_training_lowers_the_loss": plugin_of(Climbing),
    "test_training_reports_progress": plugin_of(SilentTraining),
    "test_it_touches_only_its_own_state": plugin_of(Seeding),
    "test_the_plugin_says_what_it_is": plugin_of(spec=replace(SPEC, summary="")),
    "test_what_does_not_fit_is_refused": careless(),
}


def failed(plugin, module="neurid_isi"):
    """Rules that a plugin breaks, with the messages."""
    kit = type("Kit", (EncoderConformance,), {"plugin": plugin, "module": module})
    found = dict(zip(list_rules(kit), run_kit(kit), strict=True))
    assert {verdict.outcome for verdict in found.values()} <= {"passed", "failed", "skipped"}
    return {name: verdict.message for name, verdict in found.items() if verdict.outcome == "failed"}


def test_a_good_plugin_passes():
    assert failed(plugin_of()) == {}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_plugin_fails_exactly_its_rule(rule):
    assert list(failed(BROKEN[rule])) == [rule]


@pytest.mark.parametrize(
    ("plugin", "rule", "message"),
    [
        (plugin_of(Idle), "test_training_lowers_the_loss", "training changes no weight"),
        (writing_into_its_state(), "test_it_touches_only_its_own_state", "it writes into the state that it was given"),
        (
            plugin_of(spec=replace(SPEC, accepts=frozenset({"spikes"})), spec_for_config=lambda _: SPEC),
            "test_the_spec_is_honest",
            "spec_for_config must return a narrower spec of the same encoder",
        ),
    ],
)
def test_other_ways_to_break_a_rule(plugin, rule, message):
    found = failed(plugin)
    assert list(found) == [rule]
    assert found[rule].startswith(message)


def test_an_encoder_that_is_not_rebuilt_fails_exactly_that_rule():
    class Lossy(Tiny):
        fit = None

        def state(self):
            return {"weights": np.ones(3, np.float32)}

    assert list(failed(plugin_of(Lossy))) == ["test_config_and_state_rebuild_it"]


@pytest.mark.parametrize(
    ("line", "rule", "message"),
    [
        ("import h5py", "test_importing_it_is_light", "importing it imports h5py"),
        ("print('hello')", "test_nothing_is_printed", "importing prints 'hello"),
    ],
)
def test_what_an_import_does_is_seen(tmp_path, monkeypatch, line, rule, message):
    (tmp_path / f"broken_{rule}.py").write_text(f"{line}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = failed(plugin_of(), module=f"broken_{rule}")
    assert list(found) == [rule]
    assert found[rule].startswith(message)


@pytest.mark.parametrize(
    ("taken_on", "message"),
    [("cpu", "built for the CPU, it allocates GPU memory"), ("cuda", "GPU memory grows with each use")],
)
def test_memory_of_the_gpu_that_is_not_given_back_is_seen(monkeypatch, taken_on, message):
    hoard = []
    good = plugin_of()

    def build(config, state, device):
        if device == taken_on:
            hoard.append(2**20)
        return good.build(config, state, device)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: sum(hoard))
    assert failed(good) == {}
    found = failed(replace(good, build=build))
    assert list(found) == ["test_gpu_memory_is_given_back"]
    assert found["test_gpu_memory_is_given_back"].startswith(message)


def test_every_rule_has_its_broken_plugin():
    elsewhere = {"test_config_and_state_rebuild_it", "test_importing_it_is_light", "test_gpu_memory_is_given_back"}
    assert set(list_rules(EncoderConformance)) == BROKEN.keys() | elsewhere

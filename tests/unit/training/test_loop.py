import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nwb_neurid import Population, Traces
from nwb_neurid.contracts.training import Trainable, TrainingOptions
from nwb_neurid.errors import CannotTrain, WrongWeights
from nwb_neurid.training import ContrastiveLoss, Recipe, TorchEncoder, VICRegLoss, WindowOptions, schedule
from nwb_neurid.training.loop import _load_recordings
from nwb_neurid.training.schedule import TrainingTask

OPTIONS = WindowOptions(bin_s=0.1, token_bins=5, tokens=2)
RECIPE = Recipe(loss=ContrastiveLoss, windows=6, learning_rate=1e-3, max_distance_s=10.0)


class Mixed(nn.Module):
    """Tokens through a layer with dropout, and the mean over the units that are there."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 8)
        self.dropout = nn.Dropout(0.2)

    def forward(self, activity, present):
        x = self.dropout(self.layer(torch.unflatten(activity.float(), -1, (-1, 5))).relu()).mean(2)
        there = torch.ones(x.shape[:2]) if present is None else present.float()
        return x + (x * there[..., None]).sum(1, keepdim=True) / there.sum(1)[:, None, None]


def encoder(recipe=RECIPE):
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        module = Mixed()
    return TorchEncoder(module, config={}, dim=8, options=OPTIONS, device="cpu", recipe=recipe)


@pytest.fixture
def populations(make_population):
    return [make_population(seed=seed, units=6 + seed, duration_s=25.0) for seed in range(3)]


def weights(trained):
    return np.concatenate([value.ravel() for value in trained.state().values()])


def test_it_is_trainable():
    assert isinstance(encoder(), Trainable)


@pytest.mark.parametrize("loss", [ContrastiveLoss, VICRegLoss])
def test_training_lowers_the_loss(populations, loss):
    log = encoder(replace(RECIPE, loss=loss, shortest=0.5)).fit(populations, TrainingOptions(steps=60))
    assert log.finished
    assert log.loss[-10:].mean() < log.loss[:10].mean()
    assert (log.matched > 0).all()


@pytest.mark.parametrize("stop_after", [1, 7, 11])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(populations, tmp_path, stop_after):
    whole = encoder()
    log = whole.fit(populations, TrainingOptions(steps=12))

    def stop(step):
        if step.number == stop_after:
            raise KeyboardInterrupt

    options = TrainingOptions(steps=12, checkpoint=tmp_path / "state", watch=stop)
    stopped = encoder().fit(populations, options)
    assert (stopped.finished, len(stopped.loss)) == (False, stop_after)
    again = encoder()
    rest = again.fit(populations, replace(options, watch=None, resume=True))
    np.testing.assert_array_equal(rest.loss, log.loss)
    np.testing.assert_array_equal(weights(again), weights(whole))


def test_a_kill_between_checkpoints_costs_steps_and_changes_nothing(populations, tmp_path):
    whole = encoder()
    whole.fit(populations, TrainingOptions(steps=8))
    kept = []

    def keep(log):
        kept.append((len(log.loss), (tmp_path / "state").read_bytes()))

    encoder().fit(populations, TrainingOptions(steps=8, checkpoint=tmp_path / "state", checkpoint_s=0.0, saved=keep))
    assert [steps for steps, _ in kept] == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    for _, state in kept:
        (tmp_path / "state").write_bytes(state)
        again = encoder()
        again.fit(populations, TrainingOptions(steps=8, checkpoint=tmp_path / "state", resume=True))
        np.testing.assert_array_equal(weights(again), weights(whole))


def test_another_training_is_not_gone_on_with(populations, tmp_path):
    options = TrainingOptions(steps=2, checkpoint=tmp_path / "state")
    encoder().fit(populations, options)
    with pytest.raises(WrongWeights, match=r"belongs to another training: it differs in seed, recordings"):
        encoder().fit(populations[:1], replace(options, seed=1, resume=True))


def test_a_damaged_checkpoint_is_refused(populations, tmp_path):
    (tmp_path / "state").write_bytes(b"nothing of the kind")
    with pytest.raises(WrongWeights, match=r"The checkpoint .*state cannot be read: .* Train from scratch"):
        encoder().fit(populations, TrainingOptions(steps=2, checkpoint=tmp_path / "state", resume=True))


def test_random_numbers_of_others_are_left_alone(populations):
    torch.default_generator.manual_seed(3)
    expected = torch.rand(2)
    torch.default_generator.manual_seed(3)
    encoder().fit(populations, TrainingOptions(steps=1))
    torch.testing.assert_close(torch.rand(2), expected)


def test_the_order_of_units_changes_next_to_nothing_of_silent_ones(make_population):
    silent = make_population(units=5, duration_s=25.0, rate_hz=0.0)
    with pytest.raises(CannotTrain, match=r"100 steps in a row had no unit with activity in both views"):
        encoder().fit([silent], TrainingOptions(steps=150))


def test_what_cannot_be_trained_on_is_named(make_population):
    short = make_population(units=5, duration_s=1.5, source="short.nwb")
    lone = make_population(units=1, duration_s=25.0, source="lone.nwb")
    with pytest.raises(CannotTrain) as caught:
        encoder().fit([short, lone], TrainingOptions(steps=1))
    assert "short.nwb (5 units, 1.5 s): observed time does not hold two windows of 1 s." in str(caught.value)
    assert "lone.nwb (1 unit, 25 s): it has a single unit, and training needs two." in str(caught.value)


def test_left_out_recordings_are_told_of(populations, make_population):
    lone = make_population(units=1, duration_s=25.0, source="lone.nwb")
    log = encoder().fit([*populations, lone], TrainingOptions(steps=1))
    assert log.notes == ("lone.nwb (1 unit, 25 s): it has a single unit, and training needs two.",)


@pytest.mark.parametrize("loss", [ContrastiveLoss, VICRegLoss])
def test_nan_and_constant_traces_never_reach_the_weights(loss):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 400)).astype(np.float32)
    values[0, ::7] = np.nan
    values[1] = 1.0
    values[2, :350] = 0.0
    population = Population(
        unit_ids=np.arange(6), activity=Traces(values=values, rate_hz=10.0), observed_s=np.array([[0.0, 40.0]])
    )
    trained = encoder(replace(RECIPE, loss=loss))
    trained.fit([population], TrainingOptions(steps=20))
    assert np.isfinite(weights(trained)).all()


@pytest.mark.parametrize("partly", [True, False])
def test_a_module_may_say_what_of_it_is_compiled(populations, monkeypatch, partly):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda module, **_: asked.append("all") or module)
    if partly:
        monkeypatch.setattr(Mixed, "with_compiled_layers", lambda self: asked.append("layers") or self, raising=False)
    encoder().fit(populations, TrainingOptions(steps=1, compile=True))
    assert asked == ["layers" if partly else "all"]


def test_pieces_of_a_micro_batch_add_up_to_it(populations, monkeypatch):
    found = []
    for tokens in (schedule.TOKENS, 1):
        monkeypatch.setattr(schedule, "most_tokens", lambda _, tokens=tokens: tokens)
        whole = encoder()
        whole._module.dropout.p = 0.0
        found.append(whole.fit(populations, TrainingOptions(steps=5)).loss)
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_micro_batches_are_larger_on_a_gpu_and_of_several_recordings_still(populations, monkeypatch):
    own = encoder()
    task = TrainingTask(module=own._module, dim=8, windows=OPTIONS, recipe=RECIPE)
    recordings, _ = _load_recordings(task, populations, torch.device("cpu"))
    monkeypatch.setattr(schedule, "TOKENS", 10)
    plans = []
    for share in (schedule.SHARE["cpu"], schedule.SHARE["cuda"]):
        monkeypatch.setitem(schedule.SHARE, "cpu", share)
        plans.append(schedule.Schedule(task, recordings, TrainingOptions(steps=1, windows=100)).plan(0))
    assert [windows for _, windows in plans[0]] == [1] * 100
    assert [windows for _, windows in plans[1]] == [7] * 14 + [2]
    assert {which for which, _ in plans[1]} == {0, 1, 2}


def test_bfloat16_learns_too(populations):
    log = encoder().fit(populations, TrainingOptions(steps=40, precision="bfloat16"))
    exact = encoder().fit(populations, TrainingOptions(steps=40, precision="float32"))
    assert log.loss[0] == pytest.approx(exact.loss[0], rel=0.02)
    assert log.loss[-5:].mean() < log.loss[:5].mean()


SCRIPT = """
import sys
import numpy as np
import torch
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_loop import OPTIONS, RECIPE, encoder
from conftest import poisson_population
from dataclasses import replace
from nwb_neurid.training import ContrastiveLoss, VICRegLoss
from nwb_neurid.training.loop import Training, _load_recordings
from nwb_neurid.training.processes import join_processes
from nwb_neurid.training.schedule import TrainingTask
from nwb_neurid.contracts.training import TrainingOptions

populations = [poisson_population(seed=seed, units=60 + seed, duration_s=25.0) for seed in range(3)]
with join_processes("cpu") as first:
    found = {}
    for loss in (ContrastiveLoss, VICRegLoss):
        own = encoder(replace(RECIPE, loss=loss, windows=400))
        task = TrainingTask(module=own._module, dim=8, windows=OPTIONS, recipe=own._recipe)
        recordings, _ = _load_recordings(task, populations, torch.device("cpu"))
        training = Training(task, recordings, TrainingOptions(steps=1), torch.device("cpu"))
        assert len(training.schedule.plan(0)) > 2
        value, matched = training.add_gradients(0)
        both = [*task.module.parameters(), *training.loss.parameters()]
        training.processes.sum_gradients(both)
        found[loss.__name__] = np.r_[value, matched, torch.cat([weight.grad.flatten() for weight in both]).numpy()]
    if first:
        np.savez(sys.argv[1], **found)
"""


def test_two_processes_give_the_gradient_of_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    alone, together = tmp_path / "alone.npz", tmp_path / "together.npz"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for start, target in (([sys.executable], alone), (torchrun, together)):
        done = subprocess.run(
            [*start, str(script), str(target), *folders], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-3000:]
    with np.load(alone) as one, np.load(together) as two:
        for loss in one.files:
            np.testing.assert_allclose(two[loss][:2], one[loss][:2], rtol=1e-4)
            assert np.linalg.norm(two[loss] - one[loss]) <= 1e-4 * np.linalg.norm(one[loss][2:])

"""A training on a GPU: one seed, one loss curve; it can be interrupted; and it is that of the CPU.

Loss curves agree within 1e-4 in float32 and 3e-2 in bfloat16, relatively. Weights are compared by how far they are
apart, relative to how far training moved them. A GPU adds up in an order of its own, which turns the sign of gradients
that are next to zero, and Adam makes steps of one size whatever the gradient: that of the bias of keys, for one, is
nothing but rounding.
"""

import numpy as np
import pytest
from _models import build_encoder, list_presets
from _populations import draw_population
from safetensors.numpy import load_file

from nwb_neurid.contracts import TrainingOptions

pytestmark = pytest.mark.gpu

FLOAT32 = 1e-4
BFLOAT16 = 3e-2
MOVED = 0.1


def draw_two(kind="spikes", units=14, seconds=64.0):
    return [draw_population(kind, units + seed, seconds, seed) for seed in range(2)]


def weights_of(encoder):
    return np.concatenate([np.ravel(value) for value in encoder.state().values()])


def train(device, name="nuclr", preset="small", populations=None, **options):
    """The weights before and after, and the loss of each step."""
    with device.take_gpu_paths(), device.compile_quickly():
        encoder = build_encoder(name, preset, device.name)
        before = weights_of(encoder)
        log = encoder.fit(populations or draw_two(), TrainingOptions(**{"steps": 4, "windows": 4} | options))
    return before, weights_of(encoder), log.loss


@pytest.mark.parametrize(("name", "preset"), list_presets())
def test_every_preset_trains_as_users_get_it(device, name, preset):
    kind = "dff" if "calcium" in preset else "spikes"
    seconds = {"spikes": 64.0, "dff": 96.0}[kind]
    before, after, loss = train(device, name, preset, draw_two(kind, seconds=seconds), steps=2)
    assert np.isfinite(loss).all()
    assert np.isfinite(after).all()
    assert (before != after).mean() > 0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "preset"), [("nuclr", "base"), ("nuclr", "small"), ("neurpir", "small")])
def test_one_seed_gives_one_loss_curve(device, name, preset, precision):
    before, first, loss = train(device, name, preset, precision=precision)
    _, again, loss_again = train(device, name, preset, precision=precision)
    np.testing.assert_allclose(loss_again, loss, rtol=FLOAT32 if precision == "float32" else BFLOAT16)
    if precision == "float32":
        assert np.linalg.norm(again - first) < MOVED * np.linalg.norm(first - before)


@pytest.mark.parametrize(("name", "preset"), [("nuclr", "small"), ("neurpir", "small")])
def test_an_interrupted_training_goes_on_as_if_nothing_had_been(device, tmp_path, name, preset):
    options = {"steps": 6, "precision": "float32"}
    before, whole, loss = train(device, name, preset, **options)

    def stop(step):
        if step.number == 3:
            raise KeyboardInterrupt

    _, _, stopped = train(device, name, preset, checkpoint=tmp_path / "state", watch=stop, **options)
    assert len(stopped) == 3
    _, again, rest = train(device, name, preset, checkpoint=tmp_path / "state", resume=True, **options)
    np.testing.assert_allclose(rest, loss, rtol=FLOAT32)
    assert np.linalg.norm(again - whole) < MOVED * np.linalg.norm(whole - before)


def test_loss_and_gradient_are_those_of_the_cpu(device, tmp_path):
    """`small` of NuCLR draws no dropout, whose random numbers a GPU draws in its own way."""
    found = []
    for name in ("cpu", device.name):
        encoder = build_encoder("nuclr", "small", name)
        path = tmp_path / "state"
        options = TrainingOptions(steps=1, windows=4, precision="float32", checkpoint=path)
        loss = encoder.fit(draw_two(), options).loss
        moments = {key: value.ravel() for key, value in load_file(path).items() if key.endswith("exp_avg")}
        found.append((loss, np.concatenate([moments[key] for key in sorted(moments)])))
    (loss, gradient), (loss_there, gradient_there) = found
    np.testing.assert_allclose(loss_there, loss, rtol=FLOAT32)
    assert np.linalg.norm(gradient_there - gradient) < 10 * FLOAT32 * np.linalg.norm(gradient)


def test_the_loss_curve_is_that_of_the_cpu(device):
    populations = draw_two()
    expected = (
        build_encoder("nuclr", "small", "cpu").fit(populations, TrainingOptions(steps=5, precision="float32")).loss
    )
    _, _, found = train(device, populations=populations, steps=5, windows=None, precision="float32")
    np.testing.assert_allclose(found, expected, rtol=10 * FLOAT32)


def test_bfloat16_learns_what_float32_does(device):
    (_, _, exact), (_, _, coarse) = (train(device, precision=precision) for precision in ("float32", "bfloat16"))
    np.testing.assert_allclose(coarse, exact, rtol=BFLOAT16)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_compiled_network_has_the_same_loss_curve(device, precision):
    _, _, expected = train(device, precision=precision)
    with device.compile_quickly():
        _, _, found = train(device, precision=precision, compile=True)
    np.testing.assert_allclose(found, expected, rtol=10 * FLOAT32 if precision == "float32" else BFLOAT16)

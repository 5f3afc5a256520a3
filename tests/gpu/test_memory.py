"""What was taken of a GPU's memory is given back, and where there is too little one line says what to do."""

import gc

import numpy as np
import pytest
from _models import build_encoder
from _populations import draw_population

from nwb_neurid.contracts import TrainingOptions
from nwb_neurid.errors import OutOfMemory

pytestmark = pytest.mark.gpu

CACHED = 2**26
"""Bytes that CUDA's libraries and PyTorch's allocator may keep: they take memory in blocks, and for good."""


@pytest.fixture
def populations():
    return [draw_population("spikes", 20 + seed, 60.0, seed) for seed in range(2)]


@pytest.mark.parametrize(("name", "preset"), [("nuclr", "base"), ("nuclr", "small"), ("neurpir", "small")])
def test_embedding_and_training_leave_the_weights_alone_behind(device, populations, name, preset):
    options = TrainingOptions(steps=2, windows=4)
    build_encoder(name, preset, device.name).fit(populations, options)  # what libraries keep for good is taken now
    gc.collect()
    before = device.measure_held()
    encoder = build_encoder(name, preset, device.name)
    weights = device.measure_held()
    encoder.embed(populations[0])
    assert device.measure_held() <= weights
    assert device.measure_reserved() <= weights + CACHED
    encoder.fit(populations, options)
    gc.collect()
    assert device.measure_held() <= weights
    assert device.measure_reserved() <= weights + CACHED
    del encoder
    gc.collect()
    assert device.measure_held() <= before


def test_a_training_takes_no_more_the_longer_it_is(device, populations):
    def train(steps):
        encoder = build_encoder("nuclr", "small", device.name)
        return device.measure_peak(lambda: encoder.fit(populations, TrainingOptions(steps=steps, windows=8)))

    train(1)
    few, many = train(3), train(12)
    assert many <= 1.3 * few  # unit dropout leaves now more, now fewer units


def test_too_little_memory_is_one_line_and_embedding_works_afterwards(device, populations):
    with device.take_gpu_paths():
        encoder = build_encoder("nuclr", "small", device.name)
        expected = encoder.embed(populations[0]).vectors
        large = draw_population("spikes", 400 if device.is_gpu else 4, 60.0, rates_hz=(5.0, 5.0))
        with device.run_out_of_memory(2**23), pytest.raises(OutOfMemory) as caught:
            encoder.embed(large)
        message = str(caught.value)
        assert message.startswith("There is too little memory to embed made 0: CUDA out of memory. Tried to allocate")
        assert message.endswith("or compute on the CPU (--device cpu)." if device.is_gpu else "or a smaller preset.")
        assert "\n" not in message
        again = encoder.embed(populations[0]).vectors
    np.testing.assert_allclose(again, expected, rtol=1e-5, atol=1e-6)

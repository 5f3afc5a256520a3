"""Conformance tests of encoders."""

import gc
import json
import sys
from unittest import SkipTest

import numpy as np

from nwb_neurid.contracts import Config, EncoderPlugin, State
from nwb_neurid.errors import NeuridError
from nwb_neurid.testing.embedding import EmbeddingRules
from nwb_neurid.testing.rules import require, require_close, require_light, require_spec
from nwb_neurid.testing.training import TrainingRules

WORKSPACE_BYTES = 2**26
"""Memory that GPU libraries keep after their first use."""


class EncoderConformance(EmbeddingRules, TrainingRules):
    """Conformance tests of an encoder.

    Subclass this class in a test module, and set `plugin`. Pytest then runs the tests.

    Examples
    --------
    >>> from neurid_isi import PLUGIN
    >>> class TestIsi(EncoderConformance):
    ...     plugin = PLUGIN
    """

    def test_the_plugin_says_what_it_is(self) -> None:
        """The plugin is an `EncoderPlugin` of this version of the contract, with a name, a version and a summary.

        Fill in the `EncoderSpec`. The summary is one line, which `nwb-neurid plugins` shows.
        """
        require_spec(self.plugin, EncoderPlugin)

    def test_importing_it_is_light(self) -> None:
        """Importing the plugin imports no heavy library.

        Import torch, scipy and the like inside the functions that use them: `build`, `embed`, `initial_state`.
        """
        require_light(self.plugin_module)

    def test_config_and_state_rebuild_it(self) -> None:
        """`config`, stored as JSON, and `state`, stored as safetensors, rebuild the same encoder.

        Return in `config` everything that `build` needs except the weights, as JSON. Return all weights in `state`.
        """
        from safetensors.numpy import load, save

        encoder = self.build()
        try:
            config = json.loads(json.dumps(dict(encoder.config)))
        except TypeError as error:
            require(False, f"config is not valid JSON: {error}")
        arrays = {name: np.ascontiguousarray(value) for name, value in encoder.state().items()}
        again = self.plugin.build(config, load(save(arrays)), "cpu")
        require(again.dim == encoder.dim, f"built again, its dim is {again.dim} instead of {encoder.dim}")
        population = self.make()
        found, expected = again.embed(population).vectors, encoder.embed(population).vectors
        require_close(found, expected, self.tolerance, "built again from config and state, it returns other vectors")

    def test_what_does_not_fit_is_refused(self) -> None:
        """`build` refuses unknown and missing settings and weights with an error of nwb-neurid.

        Raise `InvalidModel` for an invalid config, and `WrongWeights` for an invalid state. State what is wrong.
        """
        unknown = {"no such setting": 1}
        state = self.draw_state()
        self._require_refused({**self.config, **unknown}, state, "a config with an unknown setting")
        extra = {**state, "no such weight": np.zeros(3, np.float32)}
        self._require_refused(self.config, extra, "a state with an unknown weight")
        if state:
            self._require_refused(self.config, {}, "an empty state")
            name = max(state)
            other = {**state, name: np.zeros((*state[name].shape, 2), np.float32)}
            self._require_refused(self.config, other, f"a state whose {name} has another shape")

    def _require_refused(self, config: Config, state: State, what: str) -> None:
        try:
            self.plugin.build(config, state, "cpu")
        except NeuridError:
            return
        except Exception as error:
            require(False, f"{what} raises {type(error).__name__} ({error}), which is not an error class of nwb-neurid")
        require(False, f"{what} is accepted without an error")

    def test_gpu_memory_is_given_back(self) -> None:
        """An encoder for the CPU uses no GPU, and one for the GPU frees its memory when it is deleted.

        Keep tensors in the encoder. Do not keep them in a Python module or in a cache that outlives the encoder. Use
        only the given `device`.
        """
        if "torch" not in sys.modules:
            self._embed_on("cpu", 0)
        if (torch := sys.modules.get("torch")) is None:
            raise SkipTest("it does not use torch")
        if not torch.cuda.is_available():
            raise SkipTest("there is no GPU here")
        before = torch.cuda.memory_allocated()
        self._embed_on("cpu", 0)
        require(torch.cuda.memory_allocated() <= before, "built for the CPU, it allocates GPU memory")
        held = []
        for seed in range(3):
            self._embed_on("cuda", seed)
            held.append(torch.cuda.memory_allocated())
        require(held[-1] <= held[0], f"GPU memory grows with each use: {held} bytes")
        require(
            held[-1] - before <= WORKSPACE_BYTES,
            f"after it was deleted, {held[-1] - before} bytes of GPU memory are still in use",
        )

    def _embed_on(self, device: str, seed: int) -> None:
        self.plugin.build(self.config, self.draw_state(), device).embed(self.make(seed=seed))
        gc.collect()

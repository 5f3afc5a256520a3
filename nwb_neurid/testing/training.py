"""Rules for `Trainable.fit`, and for what an encoder may change."""

from unittest import SkipTest

import numpy as np

from nwb_neurid.contracts.training import Trainable, TrainingOptions
from nwb_neurid.testing.building import EncoderKit
from nwb_neurid.testing.embedding import Counting
from nwb_neurid.testing.rules import advance_generators, read_global_state, require, require_close

STEPS = 5
WINDOWS = 16


class TrainingRules(EncoderKit):
    """Rules for encoders that learn. They are skipped for other encoders."""

    def build_trainable(self) -> Trainable:
        """Build the encoder, if it learns."""
        encoder = self.build()
        if not isinstance(encoder, Trainable):
            raise SkipTest("it has nothing to learn")
        return encoder

    def test_training_lowers_the_loss(self) -> None:
        """Five training steps lower the loss on the windows of the first step and change the weights.

        Check that `fit` changes the weights that `state` returns, that the optimiser lowers the loss, and that the seed
        in the options determines the windows of a step.
        """
        encoder = self.build_trainable()
        before = encoder.state()
        before = {name: np.array(value) for name, value in before.items()}
        population = self.make(duration_s=self.training_s)
        log = encoder.fit([population], TrainingOptions(steps=STEPS, windows=WINDOWS))
        require(len(log.loss) == STEPS, f"{STEPS} steps were asked for, {len(log.loss)} are in the log")
        require(bool(np.isfinite(log.loss).all()), f"the loss is not finite: {log.loss}")
        after = encoder.state()
        require(before.keys() == after.keys(), "training changes the names of the weights")
        changed = any(not np.array_equal(before[name], after[name]) for name in before)
        require(changed, "training changes no weight")
        again = self.plugin.build(self.config, after, "cpu")
        require(isinstance(again, Trainable), "built again from its state, the encoder cannot be trained")
        later = again.fit([population], TrainingOptions(steps=1, windows=WINDOWS))  # type: ignore[attr-defined]
        fell = later.loss[0] < log.loss[0]
        require(bool(fell), f"the loss on the first windows went from {log.loss[0]:.4g} to {later.loss[0]:.4g}")

    def test_training_reports_progress(self) -> None:
        """The loop over the steps of `fit` is wrapped in `progress`, with a label.

        Write `for step in progress(range(options.steps), label="training")`.
        """
        counting = Counting()
        population = self.make(duration_s=self.training_s)
        self.build_trainable().fit([population], TrainingOptions(steps=2, windows=WINDOWS), progress=counting)
        require(counting.items >= 2, f"2 steps were done, but progress saw {counting.items} items")
        require(all(counting.labels), "fit calls progress without a label")

    def test_it_touches_only_its_own_state(self) -> None:
        """Embedding and training change only the encoder itself, not an argument, another encoder or global state.

        Copy the state that is passed to `build`. Do not use global random generators: make a generator
        (`np.random.default_rng(seed)`), and use `torch.random.fork_rng` where torch draws random numbers.
        """
        given, config = self.draw_state(), dict(self.config)
        encoder, other = self.plugin.build(self.config, given, "cpu"), self.build()
        population = self.make(duration_s=self.training_s)
        expected = other.embed(population).vectors  # what is set up on first use is set up now
        advance_generators()
        before = read_global_state()
        encoder.embed(population)
        if isinstance(encoder, Trainable):
            encoder.fit([population], TrainingOptions(steps=1, windows=WINDOWS))
        changed = [name for name, value in read_global_state().items() if value != before.get(name, value)]
        require(not changed, f"it changes {', '.join(changed)}")
        require(dict(self.config) == config, "it changes the config that it was given")
        start = self.draw_state()
        written = [name for name in start if not np.array_equal(start[name], given[name], equal_nan=True)]
        require(not written, f"it writes into the state that it was given: {', '.join(written[:3])}")
        found = other.embed(population).vectors
        require_close(found, expected, self.tolerance, "it changes another encoder with the same weights")

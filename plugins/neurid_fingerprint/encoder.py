"""The fingerprint of each unit: its measurements, their encoding, and the training of the encoding."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from neurid_fingerprint.components import MEASURED, Network, Trainer, list_sizes, pack_state, read_state
from neurid_fingerprint.config import Sizes
from neurid_fingerprint.inputs import CODED, Inputs, measure_population
from nwb_neurid.contracts import Config, Progress, State, Step, TrainingLog, TrainingOptions, silent
from nwb_neurid.errors import CannotTrain
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance

PARTS = (*MEASURED, *CODED)
"""The inputs whose codes form a vector, in this order."""

WEIGHTS = {"conditional": 0.1}
"""Factors by which codes are multiplied. The factor of this input is small, because the input is missing for cells of
which only histograms are known. Their vectors must remain comparable with those of other cells.
"""

FEWEST_SPIKES = 20


class Fingerprint:
    """Measures and codes of the waveform and the timing of each unit, concatenated.

    Parameters
    ----------
    sizes
        Sizes of the codes.
    config
        The same sizes as JSON.
    state
        The weights.

    Raises
    ------
    WrongWeights
        If the weights do not fit.
    """

    def __init__(self, sizes: Sizes, config: Config, state: State) -> None:
        self._config = dict(config)
        self._codes = sizes.codes
        self._networks: Mapping[str, Network] = read_state(state, self._codes)

    @property
    def config(self) -> Mapping[str, Json]:
        """Return the sizes of the codes."""
        return self._config

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return sum(code for _, code in list_sizes(self._codes).values())

    @property
    def columns(self) -> Mapping[str, slice]:
        """Return the dimensions of a vector that contain the code of each input."""
        sizes = list_sizes(self._codes)
        ends = np.cumsum([sizes[name][1] for name in PARTS]).tolist()
        return {name: slice(end - sizes[name][1], end) for name, end in zip(PARTS, ends, strict=True)}

    def state(self) -> State:
        """Return the standardisation and the weights of every network."""
        return pack_state(self._networks)

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute one vector per unit. A unit with too few spikes for intervals and autocorrelogram gets a reason."""
        inputs = measure_population(population, progress=progress)
        notes = _note_missing(population, inputs)
        return Embeddings.of(
            population,
            self.encode(inputs),
            reasons=[_find_reason(population, unit) for unit in range(len(population))],
            provenance=Provenance(notes=notes),
        )

    def encode(self, inputs: Inputs) -> Float64[np.ndarray, "units dim"]:
        """Compute vectors from inputs. A part without any known value is 0."""
        codes = [self._networks[name].encode(inputs[name]) * WEIGHTS.get(name, 1.0) for name in PARTS]
        return np.concatenate(codes, axis=1)

    def fit(
        self, populations: Sequence[Population], options: TrainingOptions, *, progress: Progress = silent
    ) -> TrainingLog:
        """Train on the units of populations, without labels.

        All units have the same weight. The seed, the number of windows and the learning rate in the options have no
        effect, because each step is an orthogonal iteration over all units.

        Raises
        ------
        CannotTrain
            If fewer than two units have enough spikes.
        """
        able = [_drop_silent(population) for population in populations]
        if (units := sum(map(len, able))) < 2:
            raise CannotTrain(
                [f"two units with {FEWEST_SPIKES} spikes or more are needed, the recordings have {units} together."]
            )
        measured = [measure_population(population) for population in able]
        inputs = {name: np.concatenate([each[name] for each in measured]) for name in PARTS}
        return self.train(inputs, options, progress=progress)

    def train(self, inputs: Inputs, options: TrainingOptions, *, progress: Progress = silent) -> TrainingLog:
        """Train on inputs, from spike trains or from histograms."""
        start, trainer = time.monotonic(), Trainer(self._networks, inputs)
        units = len(next(iter(inputs.values())))
        loss: list[float] = []
        try:
            for number in progress(range(1, options.steps + 1), label="training", total=options.steps):
                loss.append(trainer.step())
                if options.watch is not None:
                    options.watch(Step(number=number, steps=options.steps, loss=loss[-1], matched=units))
        except KeyboardInterrupt:
            pass
        self._networks = read_state(pack_state(trainer.finish()), self._codes)
        return TrainingLog(
            loss=np.array(loss),
            matched=np.full(len(loss), units, np.int64),
            steps=options.steps,
            seconds=time.monotonic() - start,
        )


def _find_reason(population: Population, unit: int) -> str:
    """Return the reason why a unit has no vector, or "" if it has one."""
    if len(population.runs_s(unit)) == 0:
        return "never observed"
    spikes = len(population.spikes.train_s(unit))
    if spikes == 0:
        return "no spikes in observed time"
    return "" if spikes >= FEWEST_SPIKES else f"too few spikes: {spikes} of {FEWEST_SPIKES}"


def _note_missing(population: Population, inputs: Inputs) -> tuple[str, ...]:
    """Return notes on missing inputs that users of the vectors must know."""
    known = np.asarray(np.isfinite(inputs["waveform"]).any(axis=1))
    notes = []
    if not known.all():
        which = "No unit has" if not known.any() else f"{int((~known).sum())} of {len(known)} units do not have"
        notes.append(f"{which} a mean waveform with a known sampling rate: their vectors rest on spike times alone.")
    resolution_s = population.resolution_s()
    if resolution_s > 1e-3:
        notes.append(f"Spike times are exact to {resolution_s * 1e3:g} ms only: what is finer is left out.")
    return tuple(notes)


def _drop_silent(population: Population) -> Population:
    """Select the units that can have a vector."""
    return population.select(
        np.array([not _find_reason(population, unit) for unit in range(len(population))], np.bool_)
    )

"""The encoder, which projects the features of units and averages them over functional neighbours."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from neurid_company import portrait, waveform
from neurid_company.config import CompanyConfig
from neurid_company.correlation import Neighbours, find_neighbours
from neurid_company.log import Log
from neurid_company.portrait import Portrait
from neurid_company.projection import Features, Projection, draw_rotation
from neurid_company.segments import SHORTEST_S, draw_halves, draw_pair
from nwb_neurid.contracts import Progress, State, TrainingLog, TrainingOptions, silent
from nwb_neurid.errors import CannotTrain, WrongWeights
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance

PAIRS = 4
"""Default number of pairs of segments of each recording. Further steps use no new pairs."""

BLOCKS = ("own", "company")


class CompanyEncoder:
    """An encoder whose vectors consist of blocks, see `CompanyConfig.blocks`.

    Parameters
    ----------
    config
        Config from which the plugin rebuilds the encoder.
    state
        Moments and directions of both projections.

    Raises
    ------
    InvalidModel
        If the config cannot be used.
    WrongWeights
        If the state does not fit the config.
    """

    def __init__(self, config: Mapping[str, Json], state: State) -> None:
        self._config = dict(config)
        self._settings = CompanyConfig.from_json(config)
        check_state(self._settings, state)
        self._projections = {block: self._read(state, block) for block in BLOCKS}

    @property
    def config(self) -> Mapping[str, Json]:
        """Return the config from which the plugin rebuilds the encoder."""
        return self._config

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self._settings.dim

    def state(self) -> State:
        """Return the moments and directions of both projections, in single precision."""
        return {name: array.astype(np.float32) for name, array in self._moments().items()}

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute features, project them, and average over functional neighbours, in the rounds that the config states.

        The stability of a unit is the cosine similarity of its vectors in two parts of the recording, without the block
        of the waveform, which is the same in both.
        """
        measured = self._measure(population, progress, neighbours=self._settings.listens)
        vectors = self._join(measured, population)
        return Embeddings.of(
            population,
            vectors,
            stability=self._compare_halves(population),
            reasons=list(self._reasons(population, measured)),
            provenance=Provenance(dimensions=self._settings.dimensions),
        )

    def _join(self, measured: Portrait, population: Population) -> Float64[np.ndarray, "units dim"]:
        """Compute the vectors of all units. They are zeros for units without known features."""
        vectors = np.zeros((len(population), self.dim))
        usable = measured.usable
        if len(usable):
            own = measured.own[usable]
            blocks = [
                self._projections["own"].project(own),
                self._projections["company"].project(measured.company[usable]),
            ]
            if self._settings.listens:
                most = self._settings.neighbours
                neighbours = find_neighbours(measured.loadings[usable], np.arange(len(usable)), most)
                blocks[1] = self._mix(blocks[1], own, neighbours)
                blocks += self._listen(np.concatenate(blocks, axis=1), neighbours)
            if self._settings.waveform:
                blocks.append(waveform.describe(population)[usable])
            vectors[usable] = np.concatenate(blocks, axis=1)
        return vectors

    def _compare_halves(self, population: Population) -> Float64[np.ndarray, " units"]:
        """Compute the cosine similarity of the vectors in two parts.

        It is NaN for units without a vector in one of the parts.
        """
        halves = draw_halves(population)
        if halves is None:
            return np.full(len(population), np.nan)
        listens = self._settings.listens
        block = self._settings.blocks.get("waveform", slice(self.dim, None))  # the waveform is the same in every part
        measured = [self._measure(half, silent, neighbours=listens) for half in halves]
        first, second = (self._join(*part)[:, : block.start] for part in zip(measured, halves, strict=True))
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return np.divide((first * second).sum(axis=1), norms, out=np.full(len(norms), np.nan), where=norms > 0)

    def fit(
        self, populations: Sequence[Population], options: TrainingOptions, *, progress: Progress = silent
    ) -> TrainingLog:
        """Collect the moments of pairs of segments, and solve for the directions.

        A step uses one pair of segments of one recording. When all pairs of all recordings have been used, training is
        complete, and further steps only report the loss.

        Raises
        ------
        CannotTrain
            If no recording has two units and two segments long enough.
        WrongWeights
            If the checkpoint to resume from is damaged, or belongs to another training.
        """
        usable, notes = _choose_recordings(populations)
        log = Log(options, self._moments, self._restore, usable)
        if not log.done:
            for projection in self._projections.values():
                projection.discount()
        pairs = options.windows or PAIRS
        try:
            for number in progress(range(log.done, options.steps), label="training"):
                log.add(number, *self._step(number, usable, pairs, options.seed))
                log.keep()
        except KeyboardInterrupt:
            pass
        log.keep(finally_=True)
        return log.result(notes)

    def _step(self, number: int, populations: Sequence[Population], pairs: int, seed: int) -> tuple[float, int]:
        """Add a pair of segments to the moments, and return the loss and the number of units of this pair.

        After all pairs were used, the loss and the number of units of all pairs are returned.
        """
        if number >= pairs * len(populations):
            parts = [self._projections[block].recall() for block in BLOCKS]
            return _ratio(parts), int(self._projections["own"].pairs.max())
        population, pair = populations[number % len(populations)], number // len(populations)
        rng = np.random.default_rng([seed, number % len(populations), pair])
        first, second = (self._measure(part, silent, neighbours=False) for part in draw_pair(population, rng))
        both = np.intersect1d(first.usable, second.usable)
        if len(both) < 2:
            return float("nan"), len(both)
        parts = []
        for block in BLOCKS:
            left, right = getattr(first, block)[both], getattr(second, block)[both]
            projection = self._projections[block]
            parts.append(projection.compare(left, right))
            projection.add(left, right)
            projection.solve()
        return _ratio(parts), len(both)

    def _moments(self) -> State:
        return {name: array for block in BLOCKS for name, array in self._projections[block].state(block).items()}

    def _restore(self, state: State) -> None:
        check_state(self._settings, state)
        self._projections = {block: self._read(state, block) for block in BLOCKS}

    def _read(self, state: State, block: str) -> Projection:
        settings = self._settings
        return Projection.from_state(state, block, relative=settings.relative, sharpness=settings.sharpness)

    def _measure(self, population: Population, progress: Progress, *, neighbours: bool) -> Portrait:
        if self._settings.activity == "spikes":
            return portrait.measure_spikes(population, progress, neighbours=neighbours)
        return portrait.measure_traces(population, progress, neighbours=neighbours, sizes=self._settings.sizes)

    def _mix(
        self, company: Float64[np.ndarray, "usable company"], own: Features, neighbours: Neighbours
    ) -> Float64[np.ndarray, "usable mixed"]:
        """Rotate the block `company` together with the mean block `own` of the neighbours, relative to the population.

        Because of the rotation, a probe that standardises coordinates keeps the weights of both parts, as within a
        block.
        """
        number = self._settings.own_of_neighbours
        if not number:
            return company
        leading = self._projections["own"].project_leading(own, number)
        both = np.concatenate([company, neighbours.average(leading - leading.mean(axis=0))], axis=1)
        return both @ draw_rotation(both.shape[1])

    def _listen(
        self, alone: Float64[np.ndarray, "usable both"], neighbours: Neighbours
    ) -> Iterator[Float64[np.ndarray, "usable both"]]:
        """Yield averages over the neighbours of each unit, relative to the mean of the population.

        Each round averages the result of the round before.
        """
        heard = alone - alone.mean(axis=0)
        for _ in range(self._settings.rounds):
            heard = neighbours.average(heard)
            yield heard

    def _reasons(self, population: Population, measured: Portrait) -> Iterator[str]:
        usable = set(measured.usable.tolist())
        spikes = self._settings.activity == "spikes"
        observed_s = population.unit_duration_s()
        for unit in range(len(population)):
            if unit in usable:
                yield ""
            elif observed_s[unit] <= 0:
                yield "never observed"
            elif spikes:
                yield "fewer than two spikes in observed time"
            else:
                yield f"constant, or fewer than {portrait.FEWEST_FRAMES} frames, in observed time"


def check_state(settings: CompanyConfig, state: State) -> None:
    """Check that a state has the arrays of these settings.

    Raises
    ------
    WrongWeights
        If arrays are missing, unexpected, of another shape or not finite. The message lists all faults.
    """
    wanted = {name: array.shape for name, array in draw_state(settings, 0).items()}
    faults = [f"missing {name}, shape {wanted[name]}" for name in sorted(wanted.keys() - state.keys())]
    faults += [f"unexpected {name}" for name in sorted(state.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & state.keys()):
        if state[name].shape != wanted[name]:
            faults.append(f"{name} has shape {state[name].shape}, the encoder expects {wanted[name]}")
        elif not np.isfinite(state[name]).all():
            faults.append(f"{name} holds numbers that are not finite")
    if faults:
        raise WrongWeights("\n  - ".join(["The weights do not fit the company encoder:", *faults]))


def draw_state(settings: CompanyConfig, seed: int) -> State:
    """Draw untrained weights, which consist of random directions without moments."""
    spikes = settings.activity == "spikes"
    features = {
        "own": portrait.SPIKES_OWN if spikes else portrait.IMAGING_OWN + settings.sizes * portrait.IMAGING_SIZES,
        "company": portrait.SPIKES_COMPANY if spikes else portrait.IMAGING_COMPANY,
    }
    dims = {"own": settings.own, "company": settings.company}
    found: dict[str, np.ndarray] = {}
    for block in BLOCKS:
        rng = np.random.default_rng([seed, BLOCKS.index(block)])
        drawn = Projection.draw(
            features[block], dims[block], rng, relative=settings.relative, sharpness=settings.sharpness
        )
        found |= {name: array.astype(np.float32) for name, array in drawn.state(block).items()}
    return found


def _ratio(parts: Sequence[tuple[float, float]]) -> float:
    """Return the ratio of noise to signal over both projections."""
    noise, signal = np.sum(parts, axis=0)
    return float(noise / max(signal, 1e-12))


def _choose_recordings(populations: Sequence[Population]) -> tuple[list[Population], tuple[str, ...]]:
    """Return the recordings that can be used for training, and the reasons why others cannot."""
    kept, left_out = [], []
    for population in populations:
        who = population.source or population.session_id or "a recording"
        if len(population) < 2:
            left_out.append(f"{who}: it has a single unit, and training needs two.")
        elif population.duration_s < 2 * SHORTEST_S:
            left_out.append(f"{who}: observed time does not hold two segments of {SHORTEST_S:g} s.")
        else:
            kept.append(population)
    if not kept:
        raise CannotTrain(left_out or ["no recording was given."])
    return kept, tuple(left_out)

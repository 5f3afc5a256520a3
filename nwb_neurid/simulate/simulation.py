"""`Simulation`: the spikes of a simulated population, with the type, region and position of each neuron."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from nwb_neurid.population import Population, Series, Spikes, Traces
from nwb_neurid.simulate.fluorescence import FRAME_HZ, simulate_fluorescence
from nwb_neurid.simulate.regions import SLOW_HZ

CLOCK_HZ = 30_000
"""Spike times are multiples of one tick of this clock, like those of a recording system."""

DEPTH_UM = 300.0
"""Length of the probe along which the neurons of a region lie."""

REGION_UM = 320.0
"""Distance between the beginnings of two regions along the probe."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Simulation:
    """The spikes of a simulated population, and the type and region of each neuron.

    Parameters
    ----------
    times_s
        Spike times in seconds, shape (spikes,), ascending within a unit, in [0, duration_s).
    splits
        Indices that split the times into trains, shape (units + 1,). The spikes of unit `u` are
        `times_s[splits[u]:splits[u + 1]]`.
    cell_type
        "RS", "IB", "CH", "FS" or "LTS", shape (units,).
    brain_region
        "simulated region A" and so on, shape (units,); "" if there is only one region.
    positions_um
        Positions in micrometres, relative to the first site of the probe, shape (units, 3). The coordinates are
        across the probe, along the probe and away from the probe.
    running_speed_cm_s
        Running speed of the animal, sampled at `SLOW_HZ`, shape (samples,). None if there is only one region.
    duration_s
        Duration in seconds.
    seed, animal, out_of_domain
        The values that were passed to `simulate`.

    Examples
    --------
    >>> from nwb_neurid.simulate import simulate
    >>> simulation = simulate(units=14, duration_s=10.0, regions=2)
    >>> simulation.regions
    ('simulated region A', 'simulated region B')
    >>> simulation.population()
    Population(14 units, spikes, 10 s in 1 runs)
    """

    times_s: Float64[np.ndarray, " spikes"]
    splits: Int64[np.ndarray, " units_and_one"]
    cell_type: Shaped[np.ndarray, " units"]
    brain_region: Shaped[np.ndarray, " units"]
    positions_um: Float32[np.ndarray, "units 3"]
    running_speed_cm_s: Float64[np.ndarray, " samples"] | None
    duration_s: float
    seed: int
    animal: int
    out_of_domain: bool

    def __len__(self) -> int:
        return len(self.cell_type)

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions; empty if there is only one region."""
        return tuple(sorted(set(self.brain_region.tolist()) - {""}))

    @property
    def subject_id(self) -> str:
        """Name of the animal."""
        return f"simulated-{self.seed}{self._which}"

    @property
    def session_id(self) -> str:
        """Name of the recording."""
        regions = f"-{len(self.regions)}-regions" if self.regions else ""
        return f"simulated-{len(self)}-units-{self.duration_s:g}-s-seed-{self.seed}{regions}{self._which}"

    @property
    def _which(self) -> str:
        if self.out_of_domain:
            return f"-outside-{self.animal}"
        return f"-animal-{self.animal}" if self.animal else ""

    def population(self) -> Population:
        """Return the spikes as a population, as if they were read from the file of this simulation.

        The units have the positions of the simulated neurons.

        Returns
        -------
        Population
            The population with the label "cell_type" and, if there are several regions, the label "brain_region".
        """
        spikes = Spikes(times_s=self.times_s, splits=self.splits, resolution_s=1 / CLOCK_HZ)
        return self._build_population(spikes, "probe")

    def imaged_population(self, rate_hz: float = FRAME_HZ) -> Population:
        """Return the dF/F as a population, as if it were read from the imaging file of this simulation.

        Parameters
        ----------
        rate_hz
            Frame rate in Hz.

        Returns
        -------
        Population
            The population with traces instead of spikes.

        Raises
        ------
        InvalidOption
            If the rate is not positive and finite, or if the simulation is shorter than one frame.
        """
        return self._build_population(self.traces(rate_hz), "plane")

    def traces(self, rate_hz: float = FRAME_HZ) -> Traces:
        """Return the dF/F of the neurons.

        Parameters
        ----------
        rate_hz
            Frame rate in Hz.

        Returns
        -------
        Traces
            dF/F, shape (units, frames).

        Raises
        ------
        InvalidOption
            For the same reasons as in `imaged_population`.
        """
        noise_seed = [self.seed, self.animal, int(self.out_of_domain)]
        return simulate_fluorescence(self.times_s, self.splits, self.duration_s, rate_hz=rate_hz, seed=noise_seed)

    def _build_population(self, activity: Spikes | Traces, group: str) -> Population:
        stop_s = self.duration_s if isinstance(activity, Spikes) else activity.values.shape[1] / activity.rate_hz
        labels = {"cell_type": self.cell_type.astype(np.str_)}
        if self.regions:
            labels["brain_region"] = self.brain_region
        return Population(
            unit_ids=np.arange(len(self)),
            activity=activity,
            observed_s=np.array([[0.0, stop_s]]),
            group=np.full(len(self), group),
            positions_um=self.positions_um,
            covariates=self._build_covariates(),
            labels=labels,
            subject_id=self.subject_id,
            session_id=self.session_id,
            source=self.session_id,
        )

    def _build_covariates(self) -> dict[str, Series]:
        if self.running_speed_cm_s is None:
            return {}
        values = self.running_speed_cm_s[:, None].astype(np.float32)
        times_s = np.arange(len(values)) / SLOW_HZ
        return {"behavior/running_speed": Series(values=values, times_s=times_s, unit="cm/s")}

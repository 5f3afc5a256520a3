"""One simulated animal: its parameters, and the spikes of its neurons."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.simulate.cell_types import CELL_TYPES, COUPLING_SPREAD, DRIVE_SPREAD, MIX, PARAMETER_SPREAD
from nwb_neurid.simulate.network import BLOCK_STEPS, STEP_S, Network, run_network
from nwb_neurid.simulate.regions import (
    SLOW_HZ,
    Region,
    compute_speed_cm_s,
    draw_regions,
    draw_shared_currents,
    draw_slow_drives,
)
from nwb_neurid.simulate.simulation import CLOCK_HZ, DEPTH_UM, REGION_UM, Simulation
from nwb_neurid.simulate.wiring import draw_synapses

MOST_REGIONS = 26

IN_DOMAIN = (0.5, 0.1, 0.2)
"""Largest differences from the nominal levels: of the drive, and relative differences of noise and synapses."""

OUT_OF_DOMAIN = ((1.5, 2.5), (0.25, 0.4), (0.5, 0.8))
"""Ranges of the same differences for animals out of domain, up or down."""

_OF_REGIONS = (0, 0, 0, 0)  # longer than the key of any animal, so that no stream is the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The level of drive, noise and synapses of one animal.

    Parameters
    ----------
    drive_shift
        Current that is added to the mean current of every neuron.
    noise_factor
        Factor for the noise of every neuron.
    synapse_factor
        Factor for every synapse.
    """

    drive_shift: float = 0.0
    noise_factor: float = 1.0
    synapse_factor: float = 1.0


def draw_level(rng: np.random.Generator, *, out_of_domain: bool) -> Level:
    """Draw a level uniformly within the domain, or from two bands outside the domain that do not touch it."""
    if out_of_domain:
        low, high = np.transpose(OUT_OF_DOMAIN)
        drive, noise, synapses = rng.uniform(low, high) * rng.choice([-1.0, 1.0], 3)
    else:
        drive, noise, synapses = rng.uniform(-1.0, 1.0, 3) * IN_DOMAIN
    return Level(drive_shift=float(drive), noise_factor=float(1 + noise), synapse_factor=float(1 + synapses))


def simulate(
    units: int,
    duration_s: float,
    seed: int = 0,
    progress: Progress = silent,
    *,
    regions: int = 1,
    animal: int = 0,
    out_of_domain: bool = False,
) -> Simulation:
    """Simulate a sparse random network of neurons of known types, in one or several regions.

    Neurons of the types RS (regular spiking), IB (intrinsically bursting) and CH (chattering) are excitatory. Neurons
    of the types FS (fast spiking) and LTS (low-threshold spiking) are inhibitory. Three in seven neurons are RS. A
    region with at least five units contains every type. The order of the types is random. If there are several regions,
    neurons of one region share a slow drive and a rhythm, and most of their synapses stay in the region. Source:
    Izhikevich (2003), IEEE Transactions on Neural Networks 14(6), 1569-1572.

    Parameters
    ----------
    units
        Number of neurons.
    duration_s
        Duration in seconds. A longer simulation begins with the same spikes as a shorter simulation.
    seed
        Random seed, for results that are reproducible bit for bit. The rhythms and other
        properties of the regions are the same in all animals that are simulated with the same seed.
    progress
        Progress callback, called at every simulated second.
    regions
        Number of regions, among which the neurons are distributed as evenly as possible.
    animal
        Index of the animal. Each animal has its own neurons, synapses and noise. Animal 0 has the nominal levels of
        drive, noise and synapses. In the other animals, these levels differ a little from the nominal levels.
    out_of_domain
        Draw levels of drive, noise and synapses that differ more from the nominal levels than in any animal without
        this option.

    Returns
    -------
    Simulation
        Spikes, types, regions and positions. The method `population()` returns them in the form that encoders accept.

    Raises
    ------
    InvalidOption
        If there is no unit, if the duration is not positive and finite, if the seed or the animal is negative, or if
        the number of regions is not between 1 and 26 or is larger than the number of units.

    Examples
    --------
    >>> sorted(simulate(units=7, duration_s=1.0).cell_type.tolist())
    ['CH', 'FS', 'IB', 'LTS', 'RS', 'RS', 'RS']
    """
    check_size(units, duration_s, seed, regions, animal)
    nominal = animal == 0 and not out_of_domain
    own = np.random.SeedSequence(seed, spawn_key=() if nominal else (animal, int(out_of_domain)))
    rng = np.random.default_rng(own)
    of_level, of_regions, of_slow, of_rhythms = map(np.random.default_rng, own.spawn(4))
    level = Level() if nominal else draw_level(of_level, out_of_domain=out_of_domain)
    parts = draw_regions(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=_OF_REGIONS)), regions)
    region = of_regions.permutation(np.arange(units) % regions)
    cell_type, positions_um = _draw_neurons(rng, region)
    network = _draw_network(rng, cell_type, region, parts, level)
    steps = math.ceil(duration_s / STEP_S)
    speed_cm_s, shared = None, None
    if regions > 1:
        slow = draw_slow_drives(of_slow, parts, SLOW_HZ * math.ceil(steps / BLOCK_STEPS))  # a block lasts a second
        speed_cm_s = compute_speed_cm_s(slow[: math.ceil(duration_s * SLOW_HZ)])
        spread = 1 + COUPLING_SPREAD * of_regions.standard_normal((2, units))
        to_slow, to_rhythm = _find_parameters(cell_type)[7:] * spread
        shared = draw_shared_currents(of_rhythms, parts, region, slow, to_slow, to_rhythm, BLOCK_STEPS, STEP_S)
    times_s, rows = run_network(network, rng, steps, progress, shared)
    times_s = np.rint(times_s * CLOCK_HZ) / CLOCK_HZ
    times_s, rows = times_s[times_s < duration_s], rows[times_s < duration_s]
    names = np.array([part.name for part in parts] if regions > 1 else [""])
    return Simulation(
        times_s=times_s[np.argsort(rows, kind="stable")],
        splits=np.r_[0, np.cumsum(np.bincount(rows, minlength=units))].astype(np.int64),
        cell_type=cell_type,
        brain_region=names[region],
        positions_um=positions_um,
        running_speed_cm_s=speed_cm_s,
        duration_s=float(duration_s),
        seed=seed,
        animal=animal,
        out_of_domain=out_of_domain,
    )


def check_size(units: int, duration_s: float, seed: int, regions: int, animal: int) -> None:
    """Check the parameters of `simulate`. It raises the same errors as `simulate`."""
    if units < 1:
        raise InvalidOption(f"The number of units to simulate must be 1 or more, got {units}.")
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise InvalidOption(f"The duration to simulate must be finite and above 0 s, got {duration_s:g} s.")
    if seed < 0:
        raise InvalidOption(f"The seed of a simulation must be 0 or more, got {seed}.")
    if animal < 0:
        raise InvalidOption(f"The number of a simulated animal must be 0 or more, got {animal}.")
    if not 1 <= regions <= min(units, MOST_REGIONS):
        raise InvalidOption(
            f"The regions to simulate must be 1 to {min(units, MOST_REGIONS)} for {units} units, got {regions}."
        )


def _draw_neurons(
    rng: np.random.Generator, region: Int64[np.ndarray, " units"]
) -> tuple[Shaped[np.ndarray, " units"], Float32[np.ndarray, "units 3"]]:
    """Draw types (with the same mix in every region) and positions (one region after another along the probe)."""
    cell_type = np.empty(len(region), f"U{max(map(len, CELL_TYPES))}")
    for index in range(region.max() + 1):
        members = region == index
        cell_type[members] = rng.permutation(np.resize(MIX, np.count_nonzero(members)))
    positions_um = rng.uniform((-30.0, 0.0, 5.0), (30.0, DEPTH_UM, 50.0), (len(region), 3))
    positions_um[:, 1] += REGION_UM * region
    return cell_type, positions_um.astype(np.float32)


def _find_parameters(cell_type: Shaped[np.ndarray, " units"]) -> Float64[np.ndarray, "parameters units"]:
    return np.array([CELL_TYPES[name] for name in cell_type]).T


def _draw_network(
    rng: np.random.Generator,
    cell_type: Shaped[np.ndarray, " units"],
    region: Int64[np.ndarray, " units"],
    parts: tuple[Region, ...],
    level: Level,
) -> Network:
    """Draw the network. The parameters of each neuron differ slightly from those of its type."""
    units = len(cell_type)
    of_type = _find_parameters(cell_type)
    abcd, (drive, noise, strength) = of_type[:4], of_type[4:7]
    spread = rng.standard_normal((4, units)).clip(-2, 2) * np.reshape(PARAMETER_SPREAD, (4, 1))
    drive = drive + DRIVE_SPREAD * rng.standard_normal(units) + level.drive_shift
    local = np.array([part.local for part in parts])
    targets, weights = draw_synapses(rng, region, local, strength * level.synapse_factor)
    noise = noise * level.noise_factor
    return Network(abcd=abcd * (1 + spread), drive=drive, noise=noise, targets=targets, weights=weights)

"""The types of the simulated neurons, which differ in their firing patterns.

Source: Izhikevich, E. M. (2003), "Simple model of spiking neurons", IEEE Transactions on Neural Networks 14(6),
1569-1572, figure 2. The values of currents, synapses and couplings are choices of this project.
"""

from collections.abc import Mapping
from typing import NamedTuple


class CellType(NamedTuple):
    """Parameters of the neurons of one type.

    Parameters
    ----------
    a, b, c, d
        Parameters of the model, as in the paper.
    drive, noise
        Mean and standard deviation (over steps) of the current that only this neuron receives.
    strength
        Sum of the weights of the outgoing synapses; negative for inhibition.
    slow_coupling, rhythm_coupling
        Coupling to the slow drive and to the rhythm of the region; 1 for the most common type.
    """

    a: float
    b: float
    c: float
    d: float
    drive: float
    noise: float
    strength: float
    slow_coupling: float
    rhythm_coupling: float


CELL_TYPES: Mapping[str, CellType] = {
    "RS": CellType(0.02, 0.2, -65, 8, drive=-4, noise=9, strength=20, slow_coupling=1.0, rhythm_coupling=1.0),
    "IB": CellType(0.02, 0.2, -55, 4, drive=-3.5, noise=9, strength=20, slow_coupling=1.2, rhythm_coupling=0.8),
    "CH": CellType(0.02, 0.2, -50, 2, drive=-4, noise=8, strength=20, slow_coupling=0.8, rhythm_coupling=1.2),
    "FS": CellType(0.1, 0.2, -65, 2, drive=2.5, noise=5, strength=-30, slow_coupling=0.7, rhythm_coupling=1.4),
    "LTS": CellType(0.02, 0.25, -65, 2, drive=-4, noise=6, strength=-30, slow_coupling=1.1, rhythm_coupling=0.6),
}

MIX = (*CELL_TYPES, "RS", "RS")
"""Types of seven consecutive neurons. Three of them are RS, and any five consecutive neurons include every type."""

PARAMETER_SPREAD = (0.1, 0.02, 0.01, 0.1)
"""Relative standard deviation of a, b, c, d among the neurons of a type."""

DRIVE_SPREAD = 2.5
"""Standard deviation of the mean current among the neurons of a type."""

COUPLING_SPREAD = 0.3
"""Relative standard deviation of the couplings among the neurons of a type."""

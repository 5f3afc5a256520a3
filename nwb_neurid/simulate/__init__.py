"""Simulated populations with known cell types and regions: Izhikevich networks, and recordings as NWB files."""

from nwb_neurid.simulate.animal import simulate
from nwb_neurid.simulate.animals import write_animals
from nwb_neurid.simulate.nwb import write_nwb
from nwb_neurid.simulate.simulation import Simulation

__all__ = ["Simulation", "simulate", "write_animals", "write_nwb"]

"""Populations with known cell types: an Izhikevich network, and its recording as an NWB file."""

from nwb_neurid.simulate.network import Simulation, simulate
from nwb_neurid.simulate.nwb import write_nwb

__all__ = ["Simulation", "simulate", "write_nwb"]

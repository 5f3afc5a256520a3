"""Configs and weights of the network: checked, and read from checkpoints of the authors' code."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from nwb_neurid.contracts import Config, State
from nwb_neurid.errors import InvalidModel, WrongWeights
from nwb_neurid.results import Json

if TYPE_CHECKING:
    from neurid_nuclr.network import Network

OFFICIAL_FRAME_S = 0.23344201114422702
"""Frame period of every calcium model of the authors, a constant of their code."""

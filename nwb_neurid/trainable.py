"""The training part of the contract under its first name: plugins import it from `nwb_neurid.contracts`."""

from nwb_neurid.contracts.training import PRECISIONS as PRECISIONS
from nwb_neurid.contracts.training import Step as Step
from nwb_neurid.contracts.training import Trainable as Trainable
from nwb_neurid.contracts.training import TrainingLog as TrainingLog
from nwb_neurid.contracts.training import TrainingOptions as TrainingOptions

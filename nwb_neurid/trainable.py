"""The part of the contract on training, under its former name. New plugins should use `nwb_neurid.contracts`."""

from nwb_neurid.contracts.training import PRECISIONS as PRECISIONS
from nwb_neurid.contracts.training import Step as Step
from nwb_neurid.contracts.training import Trainable as Trainable
from nwb_neurid.contracts.training import TrainingLog as TrainingLog
from nwb_neurid.contracts.training import TrainingOptions as TrainingOptions

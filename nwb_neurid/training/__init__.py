"""Encoders that are torch modules over windows of a recording, and their training. This module imports torch."""

from nwb_neurid.training.dropout import Dropout as Dropout
from nwb_neurid.training.encoder import TorchEncoder as TorchEncoder
from nwb_neurid.training.encoder import choose_device as choose_device
from nwb_neurid.training.losses import ContrastiveLoss as ContrastiveLoss
from nwb_neurid.training.losses import Loss as Loss
from nwb_neurid.training.losses import VICRegLoss as VICRegLoss
from nwb_neurid.training.recipe import Recipe as Recipe
from nwb_neurid.training.recording import Context as Context
from nwb_neurid.training.weights import draw_weights as draw_weights
from nwb_neurid.training.weights import with_weights as with_weights
from nwb_neurid.training.windows import WindowOptions as WindowOptions
from nwb_neurid.training.windows import Windows as Windows
from nwb_neurid.training.windows import cut_windows as cut_windows

# The names that these had in nwb-neurid 0.1.
chosen_device = choose_device
cut = cut_windows
drawn = draw_weights

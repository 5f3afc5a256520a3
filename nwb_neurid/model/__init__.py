"""A model: an encoder with its weights and label heads, and its folder."""

from nwb_neurid.model.making import import_model as import_model
from nwb_neurid.model.making import load_model as load_model
from nwb_neurid.model.making import new_model as new_model
from nwb_neurid.model.model import Model as Model

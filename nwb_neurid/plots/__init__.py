"""Figures of recordings and results. Each function draws on given axes or on new axes, and returns the axes."""

from nwb_neurid.plots.confusion import plot_confusion as plot_confusion
from nwb_neurid.plots.embedding import plot_embedding as plot_embedding
from nwb_neurid.plots.neuron import plot_neuron as plot_neuron
from nwb_neurid.plots.predictions import plot_predictions as plot_predictions
from nwb_neurid.plots.training import plot_training as plot_training
from nwb_neurid.plots.widget import EmbeddingWidget as EmbeddingWidget

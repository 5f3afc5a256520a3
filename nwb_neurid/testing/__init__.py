"""Conformance tests of plugins. Subclass `EncoderConformance` or `ReaderConformance`, and run pytest."""

from nwb_neurid.testing.encoder import EncoderConformance as EncoderConformance
from nwb_neurid.testing.populations import mock_population as mock_population
from nwb_neurid.testing.reader import ReaderConformance as ReaderConformance

made_population = mock_population
"""The name of `mock_population` in nwb-neurid 0.1."""

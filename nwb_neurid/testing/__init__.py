"""What every plugin owes, as tests: subclass `EncoderConformance` or `ReaderConformance`, and pytest runs them."""

from nwb_neurid.testing.encoder import EncoderConformance as EncoderConformance
from nwb_neurid.testing.populations import made_population as made_population
from nwb_neurid.testing.reader import ReaderConformance as ReaderConformance

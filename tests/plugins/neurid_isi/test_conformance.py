"""What every encoder owes."""

from neurid_isi import PLUGIN
from nwb_neurid.testing import EncoderConformance


class TestIsi(EncoderConformance):
    plugin = PLUGIN

"""What every encoder owes."""

from neurid_fingerprint import PLUGIN
from nwb_neurid.testing import EncoderConformance


class TestFingerprint(EncoderConformance):
    plugin = PLUGIN

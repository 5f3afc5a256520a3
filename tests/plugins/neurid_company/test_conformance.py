"""What every encoder owes."""

from neurid_company import PLUGIN
from nwb_neurid.testing import EncoderConformance


class TestSpikes(EncoderConformance):
    plugin = PLUGIN
    preset = "spikes"


class TestImaging(EncoderConformance):
    plugin = PLUGIN
    preset = "imaging"


class TestSizes(EncoderConformance):
    plugin = PLUGIN
    preset = "imaging-dff"

"""What every encoder owes."""

from neurid_neurpir import PLUGIN
from nwb_neurid.testing import EncoderConformance


class TestSpikes(EncoderConformance):
    plugin = PLUGIN
    preset = "small"


class TestCalcium(EncoderConformance):
    plugin = PLUGIN
    preset = "small-calcium"

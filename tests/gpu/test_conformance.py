"""What every encoder owes, by encoders on a GPU."""

import pytest
from _device import Device

from neurid_neurpir import PLUGIN as NEURPIR
from neurid_nuclr import PLUGIN as NUCLR
from nwb_neurid.testing import EncoderConformance

pytestmark = pytest.mark.gpu


class OnDevice(EncoderConformance):
    def build(self):
        return self.plugin.build(self.config, self.draw_state(), Device().name)


class TestNuclr(OnDevice):
    plugin = NUCLR
    preset = "small"


class TestNeurpir(OnDevice):
    plugin = NEURPIR
    preset = "small"

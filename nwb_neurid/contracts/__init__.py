"""The whole plugin contract: the interfaces of encoders and readers.

A plugin is a module with one value, `PLUGIN`. An entry point in the group `nwb_neurid.encoders` or `nwb_neurid.readers`
refers to this value. The value can be made without importing a framework such as PyTorch.

The version of the contract is one number, `CONTRACT`. As long as this number stays the same, the only changes are new
fields and methods with a default. Any other change increases the number. A plugin that was written for another number
is refused.
"""

from nwb_neurid.contracts.encoder import DEVICES as DEVICES
from nwb_neurid.contracts.encoder import Config as Config
from nwb_neurid.contracts.encoder import Encoder as Encoder
from nwb_neurid.contracts.encoder import EncoderPlugin as EncoderPlugin
from nwb_neurid.contracts.encoder import EncoderSpec as EncoderSpec
from nwb_neurid.contracts.encoder import State as State
from nwb_neurid.contracts.progress import Progress as Progress
from nwb_neurid.contracts.progress import silent as silent
from nwb_neurid.contracts.reader import ReaderPlugin as ReaderPlugin
from nwb_neurid.contracts.reader import ReaderSpec as ReaderSpec
from nwb_neurid.contracts.reader import ReadOptions as ReadOptions
from nwb_neurid.contracts.reader import is_url as is_url
from nwb_neurid.contracts.spec import CONTRACT as CONTRACT
from nwb_neurid.contracts.training import Step as Step
from nwb_neurid.contracts.training import Trainable as Trainable
from nwb_neurid.contracts.training import TrainingLog as TrainingLog
from nwb_neurid.contracts.training import TrainingOptions as TrainingOptions

"""The whole plugin contract: what an encoder or a reader is, needs and gives.

A plugin is a module with one value, `PLUGIN`, named by an entry point in the group `nwb_neurid.encoders` or
`nwb_neurid.readers`. Making that value imports no framework.

The contract is versioned by one number, `CONTRACT`. Within a number, fields and methods are only added, with a
default; any other change raises it, and a plugin written for another number is refused by name.
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

"""Checks of configs under their first name: see `nwb_neurid.contracts.config`."""

from nwb_neurid.contracts.config import COUNT as COUNT
from nwb_neurid.contracts.config import POSITIVE as POSITIVE
from nwb_neurid.contracts.config import SHARE as SHARE
from nwb_neurid.contracts.config import Entry as Entry
from nwb_neurid.contracts.config import check_config as check_config
from nwb_neurid.contracts.config import checked_values as checked_values
from nwb_neurid.contracts.config import is_count as is_count
from nwb_neurid.contracts.config import is_positive as is_positive
from nwb_neurid.contracts.config import is_share as is_share

"""`python -m nwb_neurid` is `nwb-neurid`."""

import os
import sys

# A folder of recordings may hold a json.py, or a pathlib.py, that somebody else wrote: os and sys are loaded already.
if sys.path and sys.path[0] == os.getcwd():  # noqa: PTH109
    del sys.path[0]

from nwb_neurid.cli import main

main()

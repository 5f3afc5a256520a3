"""`python -m nwb_neurid` is `nwb-neurid`."""

from nwb_neurid.cli import main

main()

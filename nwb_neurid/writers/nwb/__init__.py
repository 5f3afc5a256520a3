"""Results in NWB: the types of the namespace `ndx-neurid`, and the writer that never endangers a recording."""

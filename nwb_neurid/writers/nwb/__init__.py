"""Results in NWB: the types of the namespace `ndx-neurid`, and a writer that never puts a recording at risk."""

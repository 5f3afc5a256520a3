"""Results in NWB: the types of the namespace `ndx-neurid`, and a writer that never changes a recording in place."""

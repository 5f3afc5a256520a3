"""Functions that use the operating system: atomic replacement of files, locks and resource limits."""

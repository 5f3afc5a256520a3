"""Folders in the Zarr format, version 2 (https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html).

Metadata are read as JSON. Chunks are decoded by numcodecs, with a list of allowed codecs that run no code from a file.
"""

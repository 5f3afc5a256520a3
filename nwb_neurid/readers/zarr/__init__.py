"""Folders in the Zarr format, version 2 (https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html).

Metadata is read as JSON, and chunks are decoded by numcodecs through a list of codecs that run nothing of a file's.
"""

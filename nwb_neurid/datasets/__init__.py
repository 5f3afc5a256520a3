"""Recipes for published datasets. A recipe states where the data are, the published score, and how to reproduce it."""

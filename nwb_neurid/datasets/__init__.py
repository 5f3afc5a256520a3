"""Recipes for datasets of the papers: where the data are, the published score, and how to reproduce it."""

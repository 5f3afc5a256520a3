"""Datasets of the papers: where they are, which figure they give, and what it takes to reproduce it."""

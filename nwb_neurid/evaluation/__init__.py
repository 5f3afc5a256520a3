"""Evaluation: how well vectors predict known labels, by the protocols of the field."""

"""Evaluation: how well vectors predict known labels, with protocols from the literature."""

"""Label heads: from vectors to predicted labels, with calibrated probabilities and abstention."""

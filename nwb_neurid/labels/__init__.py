"""Label heads, which predict labels from vectors, with calibrated probabilities and abstention."""

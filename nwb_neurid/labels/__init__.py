"""From vectors to names."""

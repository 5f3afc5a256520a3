"""What is asked of the operating system: replacing files whole, locks, limits."""

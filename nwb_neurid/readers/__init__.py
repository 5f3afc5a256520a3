"""The readers that come with the package. Each is a plugin, behind its entry point."""

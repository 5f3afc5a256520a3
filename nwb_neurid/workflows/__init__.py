"""The workflows of the command line and of scripts, with one module each."""

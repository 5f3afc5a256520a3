"""The verbs: what the command line and scripts ask for, a module each."""

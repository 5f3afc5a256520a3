"""Many recordings over a cluster: what is to be done, who does it, what one worker does, and what came of it."""

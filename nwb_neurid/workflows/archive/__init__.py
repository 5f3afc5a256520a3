"""Embed many recordings on a cluster: the plan, the workers, the task of one worker, and the outcome."""

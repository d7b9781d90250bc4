"""Talks to Slurm; knows nothing of the portal, the web or the database."""

"""The OnE portal: App specs in, approved Slurm jobs out, models with their lineage."""

"""`one serve`: web, daemon and storage of one person in one process, on real Slurm or on a simulated cluster."""

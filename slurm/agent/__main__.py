"""`python -m slurm.agent`: the same as the `one-agent` command."""

from slurm.agent import main

main()

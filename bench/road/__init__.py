"""What the road costs: one module a part of `make bench`, each measured beside its own baseline in the same run."""

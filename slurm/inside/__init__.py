"""What runs inside the allocation: runner and launcher, standard library only, Python 3.6 (docs/runner.md)."""

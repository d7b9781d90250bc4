"""One use case a function: load, decide, change, audit."""

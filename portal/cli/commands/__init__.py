"""The verbs of `one`, one module a subject."""

"""Plan -> batch script text."""

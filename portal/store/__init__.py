"""Specs, models, tests and logs in S3."""

"""Measures the plan on graphs of real workflow runs, outside the product."""

"""Resolved spec and request -> plan input, container command lines, batch scripts."""

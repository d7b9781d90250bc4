"""The command lines: `one` for people (HTTP only) and `portal-admin` on the portal's host."""

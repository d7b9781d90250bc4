"""The command-line doors: one (for users) and portal-admin (for the host)."""

"""What pages cost: a portal of its own on a PostgreSQL of its own, filled by the thousand; the lab is not needed."""

"""The only way to read what a user's job wrote."""

"""Steps with resources and an inventory -> jobs of het groups."""

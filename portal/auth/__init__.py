"""Who is asking: from a request's bearer token to an Actor."""

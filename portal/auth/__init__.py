"""Who is asking: API tokens to users."""

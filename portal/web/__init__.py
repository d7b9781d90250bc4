"""The HTTP door: Litestar application and its API."""

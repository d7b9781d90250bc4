"""Sign-in against a real Keycloak that the tests start themselves."""

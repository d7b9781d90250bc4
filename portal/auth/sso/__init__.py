"""Sign-in by identity providers: OpenID Connect and SAML."""

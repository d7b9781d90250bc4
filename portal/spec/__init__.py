"""The App spec: models, graph rules, hash and diff; no IO."""

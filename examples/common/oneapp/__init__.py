"""What the example components share: reading and writing /one, the process simulator and the policy."""

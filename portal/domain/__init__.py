"""The rules of a workload's life: permissions, lifecycle, approval, convergence; no IO."""

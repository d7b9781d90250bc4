"""The command lines: `one` for people (HTTP only) and `portal-admin` on the portal's host."""

import gc

# A command is mostly imports, which leave nothing to collect: looking again and again costs a tenth of its time.
gc.set_threshold(100_000, 50, 50)

"""What a serving process holds when it begins: modules, routes, models, compiled once and kept to its end."""

from __future__ import annotations

import gc


def settle() -> None:
    """Spare the garbage collector the objects that are there now; call it when the process is ready to serve.

    A full collection looks at every object: with the routes and the tables that was 0.3 s and more in the middle of a request.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()

"""The plant's measurements: the training data of the example."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from oneapp.contract import Missing
from oneapp.tensors import Array

FILE = "measurements.csv"
COLUMNS = ("temperature_c", "pressure_bar", "efficiency")
LEAST_ROWS = 10


def read(path: Path) -> Array:
    """Rows of temperature (degrees Celsius), pressure (bar) and efficiency (0 to 1). Raises Missing for another table."""
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = [[float(row[name]) for name in COLUMNS] for row in csv.DictReader(file)]
        except (KeyError, TypeError, ValueError) as exc:
            raise Missing(f"{path} is not a table of {', '.join(COLUMNS)}: {exc!r}") from exc
    if len(rows) < LEAST_ROWS:
        raise Missing(f"{path} has {len(rows)} measurements, and at least {LEAST_ROWS} are needed")
    return np.array(rows)

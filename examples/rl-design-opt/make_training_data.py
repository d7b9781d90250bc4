#!/usr/bin/env python3
"""Write the example's training data: noisy measurements of the plant, always the same ones (standard library only)."""

from __future__ import annotations

import argparse
import csv
import math
import random
from pathlib import Path

ROWS = 400
SEED = 20260209
TEMP_OPT, TEMP_WIDTH, PRESSURE_OPT, PRESSURE_WIDTH = 820.0, 260.0, 22.0, 16.0
ERROR = 0.01  # standard deviation of a measured efficiency


def measure(rng: random.Random) -> tuple[float, float, float]:
    """Temperature in degrees Celsius, pressure in bar, efficiency from 0 to 1."""
    temperature, pressure = rng.uniform(450, 1000), rng.uniform(5, 40)
    true = math.exp(-(((temperature - TEMP_OPT) / TEMP_WIDTH) ** 2) - ((pressure - PRESSURE_OPT) / PRESSURE_WIDTH) ** 2)
    return round(temperature, 2), round(pressure, 3), round(min(max(true + rng.gauss(0, ERROR), 0), 1), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="becomes FOLDER/measurements.csv")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    with (folder / "measurements.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("temperature_c", "pressure_bar", "efficiency"))
        writer.writerows(measure(rng) for _ in range(ROWS))


if __name__ == "__main__":
    main()

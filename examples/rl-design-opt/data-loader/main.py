"""data-loader: packs the measurements for the next study, weighed by how near they are to the design found."""

from __future__ import annotations

import numpy as np
from oneapp import contract, measurements, tensors
from oneapp.reactor import scaled

BEFORE = "TASK-001/CL-REF-004"
NEAR = 0.5  # distance, in scaled units, at which a measurement counts 1/e
VALIDATION_EVERY = 5


def pack(table: np.ndarray, design: dict[str, float]) -> dict[str, tensors.Array]:
    """Inputs scaled to -1..1, targets, weights, and which rows are kept for validation."""
    inputs = np.array([scaled(temperature, pressure) for temperature, pressure, _ in table])
    distance = np.linalg.norm(inputs - scaled(design["temperature_c"], design["pressure_bar"]), axis=1)
    return {
        "inputs": inputs,
        "targets": table[:, 2],
        "weights": np.exp(-((distance / NEAR) ** 2)),
        "validation": (np.arange(len(table)) % VALIDATION_EVERY == 0).astype(np.float64),
    }


def main() -> None:
    design = contract.input_json(BEFORE, "design.json")
    table = measurements.read(contract.training_data(measurements.FILE))
    packed = pack(table, design)
    tensors.save(contract.out("dataset.safetensors"), packed)
    kept = int(packed["validation"].sum())
    contract.write_json(contract.out("summary.json"), {"rows": len(table), "validation_rows": kept, "design": design})
    contract.say(f"packed {len(table)} measurements, {kept} of them for validation")


if __name__ == "__main__":
    contract.run(main)

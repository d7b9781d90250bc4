"""Stands in for NVIDIA's dcgm-exporter on nodes whose GPUs are simulated: its names and labels, figures that are made up.

`dcgm_standin.py HOST:PORT MODEL:COUNT:MEMORY_MIB ...`. modelName begins with "Simulated", by which everybody can tell.
What is true in it: which GPUs a running step of Slurm holds, and for which job. Those show a load, the others rest.
Standard library only; Debian's Python runs it.
Source: https://docs.nvidia.com/datacenter/dcgm/latest/gpu-telemetry/dcgm-exporter.html (names and labels, DCGM 4)
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

SIMULATED = "Simulated"
WAVE_S = 60
FIELDS = {
    "DCGM_FI_DEV_GPU_UTIL": "GPU utilization (in %).",
    "DCGM_FI_DEV_GPU_TEMP": "GPU temperature (in C).",
    "DCGM_FI_DEV_FB_USED": "Framebuffer memory used (in MiB).",
    "DCGM_FI_DEV_FB_FREE": "Framebuffer memory free (in MiB).",
    "DCGM_FI_DEV_POWER_USAGE": "Power draw (in W).",
}


class Gpu(NamedTuple):
    """One simulated GPU."""

    index: int
    model: str
    memory_mib: int

    @property
    def uuid(self) -> str:
        """The same on every start, another on every node."""
        digest = hashlib.sha256(f"{socket.gethostname()}/{self.index}".encode()).hexdigest()
        return f"GPU-{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def gpus_of(words: list[str]) -> list[Gpu]:
    """`["A100:8:81920"]` -> eight GPUs with 80 GiB each."""
    found: list[Gpu] = []
    for word in words:
        model, count, memory_mib = word.rsplit(":", 2)
        found += [Gpu(len(found) + number, model, int(memory_mib)) for number in range(int(count))]
    return found


def environments() -> Iterator[dict[str, str]]:
    """The environment that each process of this node was started with; those that cannot be read are left out."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        yield dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def holders(found: Iterator[dict[str, str]]) -> dict[int, str]:
    """GPU index -> Slurm job of the step that holds it: only tasks of a step have a step's id in their environment."""
    held: dict[int, str] = {}
    for environ in found:
        gpus = environ.get("SLURM_STEP_GPUS") or environ.get("CUDA_VISIBLE_DEVICES", "")
        if "SLURM_STEP_ID" in environ and "SLURM_JOB_ID" in environ:
            held.update({int(one): environ["SLURM_JOB_ID"] for one in gpus.split(",") if one.isdigit()})
    return held


def load_of(gpu: Gpu, now: float) -> int:
    """Percent of a GPU that is held: between 55 and 95, slowly up and down, each GPU at its own time."""
    phase = (now / WAVE_S + gpu.index * 0.37) % 2
    return round(55 + 40 * (phase if phase < 1 else 2 - phase))


def figures(gpu: Gpu, is_held: bool, now: float) -> dict[str, int]:
    """What DCGM would say."""
    util = load_of(gpu, now) if is_held else 0
    used = gpu.memory_mib * util // 120 if is_held else 0
    return {
        "DCGM_FI_DEV_GPU_UTIL": util,
        "DCGM_FI_DEV_GPU_TEMP": 32 + util // 3,
        "DCGM_FI_DEV_FB_USED": used,
        "DCGM_FI_DEV_FB_FREE": gpu.memory_mib - used,
        "DCGM_FI_DEV_POWER_USAGE": 50 + 3 * util,
    }


def page(gpus: list[Gpu], held: dict[int, str], now: float) -> str:
    """Everything in Prometheus' text format."""
    lines = []
    for field, says in FIELDS.items():
        lines += [f"# HELP {field} {says}", f"# TYPE {field} gauge"]
        for gpu in gpus:
            labels = {
                "gpu": str(gpu.index),
                "UUID": gpu.uuid,
                "pci_bus_id": f"00000000:{gpu.index + 1:02X}:00.0",
                "device": f"nvidia{gpu.index}",
                "modelName": f"{SIMULATED} {gpu.model}",
                "Hostname": socket.gethostname(),
                "DCGM_FI_DRIVER_VERSION": SIMULATED.lower(),
                **({"hpc_job": held[gpu.index]} if gpu.index in held else {}),
            }
            inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
            lines.append(f"{field}{{{inside}}} {figures(gpu, gpu.index in held, now)[field]}")
    return "\n".join(lines) + "\n"


def handler_for(gpus: list[Gpu]) -> type[BaseHTTPRequestHandler]:
    """Answers /metrics and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = page(gpus, holders(environments()), time.time()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    return Handler


def main(words: list[str]) -> None:
    """Serve until stopped."""
    host, port = words[0].rsplit(":", 1)
    os.umask(0o077)
    ThreadingHTTPServer((host, int(port)), handler_for(gpus_of(words[1:]))).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])

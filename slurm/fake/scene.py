"""Writes one played job into its run directory: events, logs, usage, metrics, outputs, model files, as the real ones lie there.

Every text says that it is simulated, so that nobody takes a figure of it for a measurement.
"""

from __future__ import annotations

import json
import math
import os
import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slurm.fake.story import TALKS, Moment, behaviour
from slurm.inside import runner_paths as paths
from slurm.inside.runner_files import claim_run_dir, last_lines, make_step_dirs, write_json
from slurm.inside.runner_paths import Job, Step

ANALYSED = "ONE_ANALYSED_RUN"
"""In the environment of jobs that look at another run (portal/compile/analysis.py)."""
LAUNCHER = "# A played run has no launcher.\n"
MIB_SHARE = 0.7
WEIGHTS = 1024


class Scene:
    """The run directory of one job that started at `started` (epoch seconds) on `nodes`, one tuple of names a group."""

    def __init__(self, job: Job, started: float, nodes: Sequence[tuple[str, ...]]) -> None:
        self._job = job
        self._started = started
        self._nodes = nodes
        self._steps: dict[str, Step] = {step["id"]: step for step in job["steps"]}
        self._learner = learner(job)

    def show(self, moment: Moment) -> None:
        """Write one moment. Raises slurm.inside.runner_files.Refused for a run directory that must not be used, OSError."""
        data = dict(moment.data)
        if moment.event == "runner_started":
            claim_run_dir(self._job, LAUNCHER)
            make_step_dirs(self._job)
            data["host"] = self._nodes[0][0]
        elif moment.event == "talk":
            self._talk(data, moment.at)
            return
        elif moment.event == "step_started":
            data["hosts"] = self._hosts(data["step"])
            self._began(data, moment.at)
        elif moment.event == "step_ready":
            self._launcher(data, moment.at, "ready", port=None)
            del data["try"]
        elif moment.event == "step_ended" and data["try"]:
            self._ended(data, moment.at)
        elif moment.event == "runner_ended" and data["first_failure"]:
            data["first_failure"] = self._failure(data["first_failure"])
        _append(paths.runner_events_file(self._job), {"t": self._started + moment.at, "event": moment.event, **data})

    def _began(self, data: Mapping[str, Any], at: float) -> None:
        folder = self._try(data)
        folder.mkdir(parents=True, exist_ok=True)
        config = Path(paths.config_dir(self._job, data["iteration"], data["step"]))
        write_json(str(config / "hosts.json"), {})
        for rank, host in enumerate(self._hosts(data["step"])):
            gpus = list(range(self._steps[data["step"]]["gpus"]))
            self._launcher(data, at, "started", rank=rank, pid=os.getpid(), host=host, gpus=gpus)
        image = Path(self._steps[data["step"]]["container"]["command"][0]).name
        self._print(data, f"simulated: no container runs here, {image} is only named\n")

    def _talk(self, data: Mapping[str, Any], at: float) -> None:
        step = self._steps[data["step"]]
        number = data["talk"]
        self._use(step, data, at)
        episodes = self._episodes()
        if step["id"] != self._learner or not episodes:
            self._print(data, f"simulated: {step['node_id']} is at {number * 100 // TALKS} %\n")
            return
        last = episodes if number == TALKS else episodes * number // TALKS
        first = episodes * (number - 1) // TALKS + 1
        points = [self._point(step, episode, episodes) for episode in range(first, last + 1)]
        for point in points:
            _append(paths.metrics_file(self._job, data["iteration"], step["id"]), point)
        if points:
            self._print(data, f"simulated: episode {points[-1]['episode']}/{episodes} reward {points[-1]['reward']}\n")

    def _point(self, step: Step, episode: int, episodes: int) -> dict[str, Any]:
        """One line of metrics.jsonl: a reward that rises towards 100 (or falls, where the step is asked to), with some noise."""
        dice = random.Random(f"{self._job['workload']} {step['id']} {episode}")
        done = episode / episodes
        gone = 1.0 - done if behaviour(step) == "fall" else done
        reward = 100.0 * (1.0 - math.exp(-3.0 * gone)) + dice.gauss(0.0, 1.5)
        loss = math.exp(-3.0 * gone) + 0.02 * dice.random()
        return {"episode": episode, "reward": round(reward, 3), "loss": round(loss, 4)}

    def _episodes(self) -> int:
        return int(self._job["env"].get("ONE_EPISODES", 0))

    def _use(self, step: Step, data: Mapping[str, Any], at: float) -> None:
        """One line of usage.jsonl a rank: within what the step was given, and rising CPU seconds."""
        dice = random.Random(f"{step['id']} {data['talk']}")
        gpus = [
            {"index": index, "util": dice.randint(70, 97), "mem_mib": dice.randint(20_000, 36_000)}
            for index in range(step["gpus"])
        ]
        use = {"cpu_s": round(at * step["cpus"], 2), "rss_mib": round(step["memory_mib"] * MIB_SHARE, 1)}
        for rank, _ in enumerate(self._hosts(step["id"])):
            _append(self._try(data) / f"usage.{rank}.jsonl", {**use, "gpus": gpus or None, "t": self._started + at})

    def _ended(self, data: Mapping[str, Any], at: float) -> None:
        step = self._steps[data["step"]]
        if data["result"] == "completed":
            if not step["service"]:
                self._talk({**data, "talk": TALKS}, at)
            self._leave(step, data["iteration"])
        elif data["result"] == "failed":
            with (self._try(data) / "stderr.log").open("a") as file:
                file.write("simulated: this component was asked to fail (params.simulate)\n")
        reason = {"completed": "", "stopped": "stopped"}.get(data["result"], data["reason"])
        for rank, _ in enumerate(self._hosts(step["id"])):
            how = {"exit_code": data["exit_code"], "signal": None, "reason": reason}
            self._launcher(data, at, "ended", rank=rank, **how)

    def _leave(self, step: Step, iteration: int) -> None:
        """What a completed step leaves: a file in /one/out; the learner also a model."""
        out = Path(paths.out_dir(self._job, iteration, step["id"]))
        write_json(str(out / "result.json"), {"simulated": True, "step": step["id"]})
        if ANALYSED in self._job["env"]:
            self._find_out(out)
        if step["id"] == self._learner:
            model = Path(paths.model_dir(self._job, iteration))
            (model / "policy.safetensors").write_bytes(safetensors(self._job["workload"]))
            write_json(str(model / "training.json"), {"simulated": True, "training": self._job["config"]["training"]})

    def _find_out(self, out: Path) -> None:
        """What a played Operator leaves: figures, a table, and a chart, all of them made up."""
        dice = random.Random(self._job["env"][ANALYSED])
        points = [
            (number, round(100.0 * (1.0 - math.exp(-number / 8.0)) + dice.gauss(0.0, 2.0), 2)) for number in range(25)
        ]
        figures = {
            "mean_reward": round(sum(y for _, y in points) / len(points), 2),
            "best_reward": max(y for _, y in points),
        }
        write_json(str(out / "summary.json"), {**figures, "note": "simulated"})
        (out / "rewards.csv").write_text("".join(f"{x},{y}\n" for x, y in [("block", "reward"), *points]))
        lines = [{"name": "reward (simulated)", "points": points}]
        write_json(
            str(out / "reward.chart.json"), {"title": "Reward by block", "x": "block", "y": "reward", "lines": lines}
        )

    def _failure(self, found: Mapping[str, Any]) -> dict[str, Any]:
        failure = dict(found)
        folder = Path(paths.try_dir(self._job, failure.pop("iteration"), failure["step"], max(1, failure["try"])))
        said = last_lines(str(folder / "stderr.log"), str(folder / "stdout.log"))
        return {**failure, "t": self._started + failure["t"], "last_lines": said}

    def _hosts(self, step_id: str) -> list[str]:
        step = self._steps[step_id]
        return list(self._nodes[step["group"]][: step["nodes"]])

    def _try(self, data: Mapping[str, Any]) -> Path:
        return Path(paths.try_dir(self._job, data["iteration"], data["step"], data["try"]))

    def _print(self, data: Mapping[str, Any], text: str) -> None:
        with (self._try(data) / "stdout.log").open("a", encoding="utf-8") as file:
            file.write(text)

    def _launcher(self, data: Mapping[str, Any], at: float, event: str, *, rank: int = 0, **facts: Any) -> None:
        path = paths.launcher_events_file(str(self._try(data)), rank)
        _append(path, {"event": event, "rank": rank, **facts, "t": self._started + at})


def learner(job: Job) -> str:
    """The step that plays the one that learns: of the parts that are no service, the last of those with most GPUs."""
    best, found = -1, ""
    for task in job["config"]["app"]["tasks"]:
        for part in task["components"]:
            asked = part["resources"]
            gpus = int(asked.get("gpu_count") or 0) * int(asked.get("nodes") or 1)
            if not part.get("service") and gpus >= best:
                best, found = gpus, f"{task['task_id']}/{part.get('node_id') or part['component_id']}"
    return found


def safetensors(text: str) -> bytes:
    """A real safetensors file of 1,024 zeros, whose header says that it is simulated.

    Source: https://github.com/huggingface/safetensors#format (0.6): 8 bytes of length, a JSON header, the tensors.
    """
    tensor = {"dtype": "U8", "shape": [WEIGHTS], "data_offsets": [0, WEIGHTS]}
    header = json.dumps({"__metadata__": {"simulated": "true", "workload": text}, "weights": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(WEIGHTS)


def _append(path: str | Path, record: Mapping[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")

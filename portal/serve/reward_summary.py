"""An Operator: sums up the rewards that a run reported, as figures, a table and a chart."""

import csv
import json
from pathlib import Path

RUN, OUT = Path("/one/run/metrics"), Path("/one/out")
BLOCKS = 25


def main() -> None:
    """The component with most rewards is the one that learned."""
    found = {str(path.relative_to(RUN).with_suffix("")): rewards(path) for path in sorted(RUN.glob("*/*.jsonl"))}
    step, values = max(found.items(), key=lambda item: len(item[1]), default=("", []))
    if not values:
        raise SystemExit("no component of the run reported rewards")
    size = max(1, len(values) // BLOCKS)
    blocks = [(at + size, mean(values[at : at + size])) for at in range(0, len(values), size)]
    figures = {"mean_reward": mean(values), "best_reward": max(values), "episodes": len(values), "component": step}
    (OUT / "summary.json").write_text(json.dumps(figures))
    with (OUT / "rewards.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("episode", "mean_reward"), *blocks])
    chart = {"title": "Reward by block", "x": "episode", "y": "reward", "lines": [{"name": step, "points": blocks}]}
    (OUT / "reward.chart.json").write_text(json.dumps(chart))
    print(f"{step}: {len(values)} episodes, mean reward {figures['mean_reward']:.2f}")  # noqa: T201 - its log is for people


def rewards(path: Path) -> list[float]:
    """Every reward of a metrics file, in order."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return [float(line["reward"]) for line in lines if "reward" in line]


def mean(values: list[float]) -> float:
    """The mean, rounded as people read it."""
    return round(sum(values) / len(values), 3)


if __name__ == "__main__":
    main()

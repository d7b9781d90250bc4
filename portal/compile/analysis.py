"""What is different in an analysis: the Operator and the outputs of the run that it looks at, all read-only; pure.

/one/operator/operator.py                     what was uploaded
/one/in/<task_id>/<node_id>/                  /one/out of every component of the run
/one/run/model/                               its /one/model
/one/run/metrics/<task_id>/<node_id>.jsonl    what each component reported
"""

from __future__ import annotations

from dataclasses import dataclass

from containers.runtime import Mount
from portal.compile.steps import step_id
from portal.domain.operatorfile import ENTRY
from portal.spec.graph import components_of
from portal.spec.models import AppSpec

OPERATOR_AT = "/one/operator"
PYTHON = "python3"
RUN_VARIABLE = "ONE_ANALYSED_RUN"
# The entry has the name of a module of Python's own, which must stay the one that everybody imports: so neither
# the working directory nor the Operator's folder is searched before Python's own.
_START = (
    "import sys; sys.path[:] = filter(None, sys.path); import operator, runpy; "
    f"sys.path.append({OPERATOR_AT!r}); sys.argv[:] = [{f'{OPERATOR_AT}/{ENTRY}'!r}]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
COMMAND = (PYTHON, "-c", _START)
"""How an Operator is started, in whatever image."""


@dataclass(frozen=True)
class AnalysedRun:
    """The run that is looked at (workload, run directory, spec), and the folder on the shared file system with the Operator."""

    workload: str
    run_dir: str
    spec: AppSpec
    operator_dir: str

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Everything that the Operator may read."""
        found = [Mount(self.operator_dir, OPERATOR_AT), Mount(f"{self.run_dir}/model", "/one/run/model")]
        for _path, task, component in components_of(self.spec):
            step = step_id(task.task_id, component.id)
            folder = f"{self.run_dir}/steps/{step}"
            found.append(Mount(f"{folder}/out", f"/one/in/{step}"))
            found.append(Mount(f"{folder}/metrics.jsonl", f"/one/run/metrics/{step}.jsonl"))
        return tuple(found)

    @property
    def env(self) -> dict[str, str]:
        """Which run it is."""
        return {RUN_VARIABLE: self.workload}

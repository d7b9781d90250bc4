"""The App spec as pydantic models: exactly the fields of the specification's section 2.2 and the optional additions.

Frozen, strict, unknown fields refused. Read specs with `portal.spec.load.load_spec`, which reports every problem at
once; these models are what it returns. `docs/app-spec.md` describes each field.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from portal.spec import limits
from portal.spec.values import check_duration, check_memory, check_ready_file, check_storage_path, check_timestamp
from portal.spec.values import duration_s as _duration_s
from slurm.units import memory_mib as _memory_mib

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_UNSEEN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, line ends, and those that turn the direction of text: with them a name shows as another."""
NAME_PATTERN = rf"^[^\x00-\x1f{_UNSEEN}]*[^\x00-\x20{_UNSEEN}][^\x00-\x1f{_UNSEEN}]*$"
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NAME_PATTERN)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
GpuType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class Model(BaseModel):
    """Base: frozen, strict, nothing unknown, aliases are the JSON's names."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Image(Model):
    """A Docker image."""

    registry: Annotated[str, Field(max_length=400, description="Registry address and repository, without tag.")]
    tag: Annotated[str, Field(max_length=128, description="Tag.")]
    digest: Annotated[Digest | None, Field(description="Content digest; set when the spec is resolved.")] = None

    @property
    def reference(self) -> str:
        """`registry:tag`, as a user would pull it."""
        return f"{self.registry}:{self.tag}"


class Resources(Model):
    """What one component needs; GPUs, CPUs and memory are per node."""

    gpu_type: Annotated[GpuType | None, Field(description="GPU type as the site labels it.")] = None
    gpu_count: Annotated[int, Field(ge=0, le=limits.MAX_GPUS, description="Whole GPUs.")] = 0
    memory: Annotated[str, check_memory, Field(description="Memory; 1024-based (64GB, 64G, 64GiB, 512MB).")]
    cpus: Annotated[int | None, Field(ge=1, le=limits.MAX_CPUS, description="CPUs; null means site policy.")] = None
    gpu_shards: Annotated[int | None, Field(ge=1, le=limits.MAX_GPUS, description="Shares of one GPU.")] = None
    nodes: Annotated[int, Field(ge=1, le=limits.MAX_NODES, description="Nodes.")] = 1
    time_limit: Annotated[str | None, check_duration, Field(description="Longest run: 30m, 2h, 1-00:00:00.")] = None

    @property
    def memory_mib(self) -> int:
        """Memory per node in MiB."""
        return _memory_mib(self.memory)

    @property
    def time_limit_s(self) -> int | None:
        """The component's own time limit in seconds."""
        return None if self.time_limit is None else _duration_s(self.time_limit)

    @model_validator(mode="after")
    def _gpus_are_whole_or_shared(self) -> Resources:
        if self.gpu_shards is not None and self.gpu_count:
            raise PydanticCustomError("gpus_and_shards", "gpu_count and gpu_shards together")
        if (self.gpu_count or self.gpu_shards) and self.gpu_type is None:
            raise PydanticCustomError("gpu_without_type", "GPUs without gpu_type")
        return self


class Ready(Model):
    """When a component counts as ready for those that start with it: its port listens or its file exists."""

    port: Annotated[
        Annotated[int, Field(ge=1, le=65535)] | Literal["auto"] | None,
        Field(description='TCP port, or "auto": the platform chooses one (ONE_PORT).'),
    ] = None
    file: Annotated[str | None, check_ready_file, Field(description="A path under /one/out.")] = None
    timeout_s: Annotated[int, Field(ge=1, le=limits.MAX_READY_TIMEOUT_S, description="Seconds to become ready.")] = (
        limits.READY_TIMEOUT_S
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Ready:
        if (self.port is None) == (self.file is None):
            raise PydanticCustomError("bad_ready", "either port or file")
        return self


class Component(Model):
    """One placement of a library component: one container with its own resources."""

    component_id: Annotated[Id, Field(description="Reference into the component library.")]
    node_id: Annotated[Id | None, Field(description="Which placement this is; default: component_id.")] = None
    component_version: Annotated[Version | None, Field(description="Pinned library version.")] = None
    name: Annotated[Name, Field(description="Name shown.")]
    image: Image
    resources: Resources
    params: Annotated[dict[str, JsonValue], Field(description="Parameters: params.json and ONE_PARAM_<NAME>.")] = {}
    command: Annotated[tuple[str, ...] | None, Field(description="Instead of the image's Entrypoint.")] = None
    args: Annotated[tuple[str, ...] | None, Field(description="Instead of the image's Cmd.")] = None
    retries: Annotated[int, Field(ge=0, le=limits.MAX_RETRIES, description="Further tries after a failure.")] = 0
    service: Annotated[bool, Field(description="Runs until those that need it have ended.")] = False
    ready: Annotated[Ready | None, Field(description="When it is ready.")] = None

    @property
    def id(self) -> str:
        """The id that workflow edges name: node_id, or component_id without one."""
        return self.node_id or self.component_id


class Edge(Model):
    """One connection between two components of a Task."""

    source: Annotated[Id, Field(alias="from", description="The component before.")]
    target: Annotated[Id, Field(alias="to", description="The component after.")]
    when: Annotated[
        Literal["finished", "started"],
        Field(description="Start after it ended well, or as soon as it runs and is ready."),
    ] = "finished"


class Task(Model):
    """A group of components with their order."""

    task_id: Annotated[Id, Field(description="Unique in the App.")]
    name: Annotated[Name, Field(description="Name shown.")]
    imported_from: Annotated[Id | None, Field(description="App it was imported from.")] = None
    components: Annotated[tuple[Component, ...], Field(description="What runs.")]
    workflow: Annotated[tuple[Edge, ...], Field(description="Connections between the components.")] = ()
    after: Annotated[tuple[Id, ...], Field(description="Tasks that must finish first.")] = ()


class ImportedApp(Model):
    """An App whose Tasks were imported."""

    app_ref: Annotated[Id, Field(description="Its app_id.")]
    name: Annotated[Name, Field(description="Its name.")]
    version: Annotated[Version | None, Field(description="Pinned version.")] = None
    declined_version: Annotated[
        Version | None, Field(description="Newer version that was looked at and not taken.")
    ] = None


class GoalCondition(Model):
    """A goal on a metric; reported, never enforced."""

    metric: Annotated[str, Field(min_length=1, max_length=128, description="Key in metrics.jsonl.")]
    op: Annotated[Literal[">=", "<="], Field(description="Comparison.")]
    value: Annotated[float, Field(description="Goal.")]
    episodes: Annotated[int, Field(ge=1, description="Episodes in a row.")] = 1


class TrainingConfig(Model):
    """Reinforcement learning settings; containers see them in /one/config/training.json."""

    episodes: Annotated[int, Field(ge=1, le=10_000_000, description="Episodes.")] = 1000
    learning_rate: Annotated[float, Field(gt=0, le=1, description="Learning rate.")] = 0.001
    batch_size: Annotated[int, Field(ge=1, le=1_048_576, description="Mini-batch size.")] = 64
    gamma: Annotated[float, Field(ge=0, le=1, description="Discount.")] = 0.99
    max_steps_per_episode: Annotated[int, Field(ge=1, description="Steps an episode at most.")] = 500
    reward_params: Annotated[dict[str, JsonValue], Field(description="Weights of the reward.")] = {}
    env_config: Annotated[dict[str, JsonValue], Field(description="Simulator settings.")] = {}
    goal_conditions: Annotated[tuple[GoalCondition, ...], Field(description="Goals to report.")] = ()


class Storage(Model):
    """Where the training data is."""

    type: Annotated[Literal["distributed"], Field(description="Kind of storage: a shared file system.")]
    path: Annotated[str, check_storage_path, Field(description="Absolute path, mounted at the same place.")]


class AppSpec(Model):
    """An App: Tasks of components, and what they share."""

    app_id: Annotated[Id, Field(description="Unique id of the App.")]
    name: Annotated[Name, Field(description="Name shown.")]
    version: Annotated[Version, Field(description="Version of the spec file.")]
    env_vars: Annotated[dict[str, str], Field(description="Environment variables of every component.")] = {}
    tasks: Annotated[tuple[Task, ...], Field(description="Tasks, in their order.")]
    execution: Annotated[
        Literal["sequential", "parallel"], Field(description="How Tasks without `after` run: in order or together.")
    ] = "sequential"
    imported_apps: Annotated[tuple[ImportedApp, ...], Field(description="Apps that Tasks were imported from.")] = ()
    training_config: Annotated[TrainingConfig | None, Field(description="Training settings (RL only).")] = None
    storage: Annotated[Storage | None, Field(description="Training data.")] = None
    created_at: Annotated[str | None, check_timestamp, Field(description="ISO 8601 time of creation.")] = None
    test_run_ref: Annotated[Id | None, Field(description="Workload id of an attached test run.")] = None

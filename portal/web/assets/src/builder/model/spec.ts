/** The App spec as the Builder holds it: the JSON as it came, of which only the fields named here are looked at. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export interface Image {
  registry: string;
  tag: string;
  digest?: string | null;
}

/** What a registry said of an image. */
export type ImageState =
  | "checking"
  | "verified"
  | "not_found"
  | "unreachable"
  | "not_allowed"
  | "unusable"
  | "unchecked";

/** GPUs, CPUs and memory are for each node. */
export interface Resources {
  gpu_type?: string | null;
  gpu_count?: number;
  memory: string;
  cpus?: number | null;
  gpu_shards?: number | null;
  nodes?: number;
  time_limit?: string | null;
}

export interface Component {
  component_id: string;
  node_id?: string | null;
  component_version?: string | null;
  name: string;
  image: Image;
  resources: Resources;
  params?: JsonObject;
  command?: string[] | null;
  args?: string[] | null;
  retries?: number;
  service?: boolean;
  ready?: JsonObject | null;
}

export interface Edge {
  from: string;
  to: string;
  when?: "finished" | "started";
}

export interface Task {
  task_id: string;
  name: string;
  imported_from?: string | null;
  components: Component[];
  workflow?: Edge[];
  after?: string[];
}

export interface ImportedApp {
  app_ref: string;
  name: string;
  version?: string | null;
  declined_version?: string | null;
}

export interface AppSpec {
  app_id: string;
  name: string;
  version: string;
  env_vars?: Record<string, string>;
  tasks: Task[];
  execution?: "sequential" | "parallel";
  imported_apps?: ImportedApp[];
  training_config?: JsonObject | null;
  storage?: { type: string; path: string } | null;
  created_at?: string | null;
}

/** The id that connections name: node_id, or component_id without one. */
export function nodeId(component: Component): string {
  return component.node_id || component.component_id;
}

export function taskOf(spec: AppSpec, taskId: string): Task | undefined {
  return spec.tasks.find((task) => task.task_id === taskId);
}

export function componentOf(task: Task | undefined, node: string): Component | undefined {
  return task?.components.find((component) => nodeId(component) === node);
}

/** Imported Tasks are pinned copies: looked at, moved as a whole, never changed inside. */
export function isImported(task: Task): boolean {
  return task.imported_from != null;
}

export function edgesOf(task: Task): readonly Edge[] {
  return task.workflow ?? [];
}

export function imageText(image: Image): string {
  return `${image.registry}:${image.tag}`;
}

/** `rl-agent:2.0` of `registry.avatar.io/rl-agent:2.0`, as a node of the canvas shows it. */
export function shortImage(image: Image): string {
  return imageText(image).split("/").at(-1) ?? "";
}

/** Why a document cannot be shown at all; null: every part that the Builder reads has the right shape. */
export function shapeProblem(value: unknown): { path: string; expected: string } | null {
  return (
    record(value, "$") ??
    texts(value, "$", ["app_id", "name", "version"]) ??
    list((value as JsonObject).tasks, "$.tasks", taskProblem) ??
    (optional(value, "env_vars") ? record((value as JsonObject).env_vars, "$.env_vars") : null) ??
    (optional(value, "storage") ? record((value as JsonObject).storage, "$.storage") : null) ??
    (optional(value, "imported_apps")
      ? list(
          (value as JsonObject).imported_apps,
          "$.imported_apps",
          (app, path) => record(app, path) ?? texts(app, path, ["app_ref", "name"]),
        )
      : null)
  );
}

type Shape = { path: string; expected: string } | null;

function taskProblem(task: unknown, path: string): Shape {
  return (
    record(task, path) ??
    texts(task, path, ["task_id", "name"]) ??
    list((task as JsonObject).components, `${path}.components`, componentProblem) ??
    (optional(task, "workflow")
      ? list(
          (task as JsonObject).workflow,
          `${path}.workflow`,
          (edge, place) => record(edge, place) ?? texts(edge, place, ["from", "to"]),
        )
      : null) ??
    (optional(task, "after")
      ? list((task as JsonObject).after, `${path}.after`, (id, place) =>
          typeof id === "string" ? null : { path: place, expected: "string" },
        )
      : null)
  );
}

function componentProblem(component: unknown, path: string): Shape {
  const parts = component as JsonObject;
  return (
    record(component, path) ??
    texts(component, path, ["component_id", "name"]) ??
    record(parts.image, `${path}.image`) ??
    texts(parts.image, `${path}.image`, ["registry", "tag"]) ??
    record(parts.resources, `${path}.resources`) ??
    texts(parts.resources, `${path}.resources`, ["memory"]) ??
    (optional(component, "params") ? record(parts.params, `${path}.params`) : null) ??
    ["command", "args"].reduce<Shape>(
      (found, field) =>
        found ??
        (optional(component, field) && !Array.isArray(parts[field])
          ? { path: `${path}.${field}`, expected: "array" }
          : null),
      null,
    )
  );
}

function optional(value: unknown, field: string): boolean {
  return (value as JsonObject)[field] != null;
}

function record(value: unknown, path: string): Shape {
  const right = typeof value === "object" && value !== null && !Array.isArray(value);
  return right ? null : { path, expected: "object" };
}

function texts(value: unknown, path: string, fields: string[]): Shape {
  const wrong = fields.find((field) => typeof (value as JsonObject)[field] !== "string");
  return wrong === undefined ? null : { path: `${path}.${wrong}`, expected: "string" };
}

function list(value: unknown, path: string, check: (item: unknown, path: string) => Shape): Shape {
  if (!Array.isArray(value)) return { path, expected: "array" };
  return value.reduce<Shape>((found, item, index) => found ?? check(item, `${path}[${index}]`), null);
}

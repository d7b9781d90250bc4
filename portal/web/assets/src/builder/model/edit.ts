/** Every change of a spec as a function from spec to spec; what it does not name stays the same object. */

import { connectRefusal, type Refusal } from "./graph";
import {
  type AppSpec,
  type Component,
  componentOf,
  type Edge,
  edgesOf,
  type Image,
  type ImageState,
  isImported,
  type JsonObject,
  nodeId,
  type Resources,
  type Task,
  taskOf,
} from "./spec";

export type Outcome = { spec: AppSpec; refused?: undefined } | { refused: Refusal };

/** What a placement gets from one version of a library component. */
export interface LibraryVersion {
  version: string;
  image: Image;
  resources: Resources;
  params: JsonObject;
  command?: string[] | null;
  args?: string[] | null;
}

/** A library component with its newest version, and the older ones by name. */
export interface LibraryEntry extends LibraryVersion {
  component_id: string;
  name: string;
  tags: string[];
  description?: string;
  deprecated?: boolean;
  image_state?: ImageState;
  versions?: Record<string, LibraryVersion>;
}

/** A piece of a Task, as copied. */
export interface Piece {
  components: Component[];
  edges: Edge[];
}

function withTask(spec: AppSpec, taskId: string, change: (task: Task) => Task): AppSpec {
  const index = spec.tasks.findIndex((task) => task.task_id === taskId);
  const task = spec.tasks[index];
  if (!task) return spec;
  const changed = change(task);
  return changed === task ? spec : { ...spec, tasks: spec.tasks.with(index, changed) };
}

/** A field set, or taken out where the value is undefined; the order of the others stays. */
export function withField<T extends object>(thing: T, field: string, value: unknown): T {
  const entries = Object.entries(thing);
  if (value === undefined) return Object.fromEntries(entries.filter(([key]) => key !== field)) as T;
  if (!Object.hasOwn(thing, field)) return Object.fromEntries([...entries, [field, value]]) as T;
  return Object.fromEntries(entries.map(([key, old]) => [key, key === field ? value : old])) as T;
}

function withEdges(task: Task, edges: Edge[]): Task {
  return withField(task, "workflow", edges);
}

/** `base`, or `base-2`, `base-3` ... when that is taken. */
export function freeId(base: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base;
  for (let number = 2; ; number += 1) {
    const end = `-${number}`;
    const candidate = base.slice(0, 64 - end.length) + end;
    if (!taken.has(candidate)) return candidate;
  }
}

function nodesOf(task: Task): Set<string> {
  return new Set(task.components.map(nodeId));
}

/** A library component placed in a Task: its component_id stays, and only a second placement gets a node_id. */
export function place(spec: AppSpec, taskId: string, entry: LibraryEntry): { spec: AppSpec; node: string } {
  const task = taskOf(spec, taskId);
  const node = freeId(entry.component_id, task ? nodesOf(task) : new Set());
  const component: Component = {
    component_id: entry.component_id,
    ...(node === entry.component_id ? {} : { node_id: node }),
    component_version: entry.version,
    name: entry.name,
    image: { ...entry.image },
    resources: { ...entry.resources },
    params: structuredClone(entry.params),
    ...(entry.command ? { command: [...entry.command] } : {}),
    ...(entry.args ? { args: [...entry.args] } : {}),
  };
  return { spec: withTask(spec, taskId, (one) => ({ ...one, components: [...one.components, component] })), node };
}

/** Components go with their connections. */
export function removeNodes(spec: AppSpec, taskId: string, nodes: ReadonlySet<string>): AppSpec {
  return withTask(spec, taskId, (task) => {
    const kept = { ...task, components: task.components.filter((component) => !nodes.has(nodeId(component))) };
    const edges = edgesOf(task).filter((edge) => !nodes.has(edge.from) && !nodes.has(edge.to));
    return edges.length === edgesOf(task).length ? kept : withEdges(kept, edges);
  });
}

export function connect(spec: AppSpec, taskId: string, from: string, to: string): Outcome {
  const task = taskOf(spec, taskId);
  if (!componentOf(task, from) || !componentOf(task, to) || !task) return { spec };
  const refused = connectRefusal(task, from, to);
  if (refused) return { refused };
  return { spec: withTask(spec, taskId, (one) => withEdges(one, [...edgesOf(one), { from, to }])) };
}

export function disconnect(spec: AppSpec, taskId: string, from: string, to: string): AppSpec {
  return withTask(spec, taskId, (task) =>
    withEdges(
      task,
      edgesOf(task).filter((edge) => edge.from !== from || edge.to !== to),
    ),
  );
}

/** When the follower starts: after the end ("finished", the default and then not written) or as soon as it runs. */
export function setWhen(
  spec: AppSpec,
  taskId: string,
  from: string,
  to: string,
  when: "finished" | "started",
): AppSpec {
  const written = when === "finished" ? undefined : when;
  return withTask(spec, taskId, (task) =>
    withEdges(
      task,
      edgesOf(task).map((edge) => (edge.from === from && edge.to === to ? withField(edge, "when", written) : edge)),
    ),
  );
}

/** What runs before `node`; connections that stay keep their place and their `when`. */
export function setPredecessors(spec: AppSpec, taskId: string, node: string, wanted: readonly string[]): Outcome {
  const task = taskOf(spec, taskId);
  if (!task) return { spec };
  const kept = edgesOf(task).filter((edge) => edge.to !== node || wanted.includes(edge.from));
  const there = new Set(kept.filter((edge) => edge.to === node).map((edge) => edge.from));
  let result = withTask(spec, taskId, (one) => withEdges(one, kept));
  for (const from of wanted.filter((one) => !there.has(one))) {
    const outcome = connect(result, taskId, from, node);
    if (outcome.refused) return outcome;
    result = outcome.spec;
  }
  return { spec: result };
}

export function changeComponent(
  spec: AppSpec,
  taskId: string,
  node: string,
  change: (one: Component) => Component,
): AppSpec {
  return withTask(spec, taskId, (task) => {
    const index = task.components.findIndex((component) => nodeId(component) === node);
    const component = task.components[index];
    if (!component) return task;
    const changed = change(component);
    if (changed === component) return task;
    const moved = { ...task, components: task.components.with(index, changed) };
    const id = nodeId(changed);
    return id === node
      ? moved
      : withEdges(
          moved,
          edgesOf(task).map((edge) => renamed(edge, node, id)),
        );
  });
}

function renamed(edge: Edge, old: string, id: string): Edge {
  const from = edge.from === old ? withField(edge, "from", id) : edge;
  return from.to === old ? withField(from, "to", id) : from;
}

export function setResource(
  spec: AppSpec,
  taskId: string,
  node: string,
  field: keyof Resources,
  value: unknown,
): AppSpec {
  return changeComponent(spec, taskId, node, (one) => ({ ...one, resources: withField(one.resources, field, value) }));
}

// Tasks

export function addTask(spec: AppSpec, name: string): { spec: AppSpec; taskId: string } {
  const taskId = freeTaskId(spec.tasks);
  const task: Task = { task_id: taskId, name, imported_from: null, components: [], workflow: [] };
  return { spec: { ...spec, tasks: [...spec.tasks, task] }, taskId };
}

export function freeTaskId(tasks: readonly Task[]): string {
  const taken = new Set(tasks.map((task) => task.task_id));
  for (let number = tasks.length + 1; ; number += 1) {
    const id = `TASK-${String(number).padStart(3, "0")}`;
    if (!taken.has(id)) return id;
  }
}

export function renameTask(spec: AppSpec, taskId: string, name: string): AppSpec {
  return withTask(spec, taskId, (task) => (task.name === name ? task : { ...task, name }));
}

/** A copy right after its original; it waits for what the original waits for, and is no import any more. */
export function duplicateTask(spec: AppSpec, taskId: string, name: string): { spec: AppSpec; taskId: string } {
  const index = spec.tasks.findIndex((task) => task.task_id === taskId);
  const task = spec.tasks[index];
  if (!task) return { spec, taskId };
  const id = freeTaskId(spec.tasks);
  const copy = { ...structuredClone(task), task_id: id, name, imported_from: null };
  return { spec: { ...spec, tasks: spec.tasks.toSpliced(index + 1, 0, copy) }, taskId: id };
}

export function moveTask(spec: AppSpec, taskId: string, by: -1 | 1): AppSpec {
  const index = spec.tasks.findIndex((task) => task.task_id === taskId);
  const [task, other] = [spec.tasks[index], spec.tasks[index + by]];
  if (!task || !other) return spec;
  return { ...spec, tasks: spec.tasks.with(index, other).with(index + by, task) };
}

/** The Tasks that name this one in `after`. */
export function followers(spec: AppSpec, taskId: string): Task[] {
  return spec.tasks.filter((task) => (task.after ?? []).includes(taskId));
}

/** A Task goes, with its name in the `after` of others, and its App's entry when it was the last one imported from there. */
export function removeTask(spec: AppSpec, taskId: string): AppSpec {
  const gone = taskOf(spec, taskId);
  const tasks = spec.tasks
    .filter((task) => task.task_id !== taskId)
    .map((task) =>
      task.after?.includes(taskId) ? { ...task, after: task.after.filter((id) => id !== taskId) } : task,
    );
  const left = { ...spec, tasks };
  return gone?.imported_from ? forgetImport(left, gone.imported_from) : left;
}

/** Without the entry of an App from which no Task comes any more. */
export function forgetImport(spec: AppSpec, source: string): AppSpec {
  if (!spec.imported_apps || spec.tasks.some((task) => task.imported_from === source)) return spec;
  return withField(
    spec,
    "imported_apps",
    spec.imported_apps.filter((app) => app.app_ref !== source),
  );
}

export function setAfter(spec: AppSpec, taskId: string, after: string[]): AppSpec {
  return withTask(spec, taskId, (task) => withField(task, "after", after.length === 0 ? undefined : after));
}

// The App

export function setAppField(spec: AppSpec, field: string, value: unknown): AppSpec {
  return withField(spec, field, value);
}

export function setVariables(spec: AppSpec, entries: readonly (readonly [string, string])[]): AppSpec {
  return withField(spec, "env_vars", Object.fromEntries(entries));
}

/** `K=V` lines as pasted; "export", quotes around the value, comments and empty lines go. Lines without "=" are left over. */
export function variableLines(text: string): { entries: [string, string][]; left: string[] } {
  const entries: [string, string][] = [];
  const left: string[] = [];
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    if (!line || line.startsWith("#")) continue;
    const match = /^(?:export\s+)?([^=\s]+)\s*=\s*(.*)$/.exec(line);
    if (!match) left.push(line);
    else entries.push([match[1] ?? "", (match[2] ?? "").replace(/^(["'])(.*)\1$/, "$2")]);
  }
  return { entries, left };
}

/** Why a variable is refused; null: it is not. The words are the server's. */
export function variableRefusal(key: string, value: string): Refusal | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return { word: "bad_variable", values: { key } };
  if (/^(SLURM_|APPTAINER|ONE_)/.test(key)) return { word: "reserved_variable", values: { key } };
  if (key === "CUDA_VISIBLE_DEVICES" && value !== "all") return { word: "reserved_cuda", values: { key } };
  return null;
}

// Copy, paste

export function copyNodes(spec: AppSpec, taskId: string, nodes: ReadonlySet<string>): Piece {
  const task = taskOf(spec, taskId);
  return structuredClone({
    components: (task?.components ?? []).filter((component) => nodes.has(nodeId(component))),
    edges: (task ? edgesOf(task) : []).filter((edge) => nodes.has(edge.from) && nodes.has(edge.to)),
  });
}

/** A copied piece in a Task, each component under an id of its own; the connections between them come along. */
export function paste(spec: AppSpec, taskId: string, piece: Piece): { spec: AppSpec; nodes: string[] } {
  const task = taskOf(spec, taskId);
  if (!task || isImported(task)) return { spec, nodes: [] };
  const taken = nodesOf(task);
  const ids = new Map<string, string>();
  const components = structuredClone(piece.components).map((component) => {
    const id = freeId(nodeId(component), taken);
    taken.add(id);
    ids.set(nodeId(component), id);
    return id === component.component_id
      ? withField(component, "node_id", undefined)
      : withField(component, "node_id", id);
  });
  const edges = piece.edges.map((edge) => ({
    ...edge,
    from: ids.get(edge.from) ?? edge.from,
    to: ids.get(edge.to) ?? edge.to,
  }));
  const changed = withTask(spec, taskId, (one) => {
    const grown = { ...one, components: [...one.components, ...components] };
    return edges.length === 0 ? grown : withEdges(grown, [...edgesOf(one), ...edges]);
  });
  return { spec: changed, nodes: [...ids.values()] };
}

export function isLocked(spec: AppSpec, taskId: string): boolean {
  const task = taskOf(spec, taskId);
  return task !== undefined && isImported(task);
}

/** Imports of other Apps: what a version brings, what one has of it already, and the App that comes of taking it. */

import { forgetImport, freeTaskId, withField } from "./edit";
import { type AppSpec, type ImportedApp, nodeId, type Task, taskOf } from "./spec";

/** A version of another App and what is wanted of it: its Tasks by id, and the variables whose value is its own. */
export interface Taking {
  source: AppSpec;
  tasks: ReadonlySet<string>;
  theirs: ReadonlySet<string>;
}

/** A variable that both Apps have, with other values. `follows`: mine is what the earlier version brought. */
export interface Conflict {
  key: string;
  mine: string;
  theirs: string;
  follows: boolean;
}

export function importOf(spec: AppSpec, ref: string): ImportedApp | undefined {
  return spec.imported_apps?.find((app) => app.app_ref === ref);
}

export function tasksFrom(spec: AppSpec, ref: string): Task[] {
  return spec.tasks.filter((task) => task.imported_from === ref);
}

/** The version to offer, of `versions` (newest first): neither the pinned one nor one that was looked at and declined. */
export function newerVersion(spec: AppSpec, ref: string, versions: readonly string[] | undefined): string | null {
  const pinned = importOf(spec, ref);
  const [newest] = versions ?? [];
  const isKnown = newest === undefined || newest === pinned?.version || newest === pinned?.declined_version;
  return isKnown || tasksFrom(spec, ref).length === 0 ? null : newest;
}

/** Which of `others` stands for which Task, by the Task's id: one of the same name, else one of the same components. */
export function counterparts(tasks: readonly Task[], others: readonly Task[]): Map<string, Task> {
  const found = new Map<string, Task>();
  const free = new Set(others);
  for (const same of [sameName, sameNodes]) {
    for (const task of tasks.filter((one) => !found.has(one.task_id))) {
      const other = [...free].find((one) => same(one, task));
      if (!other) continue;
      found.set(task.task_id, other);
      free.delete(other);
    }
  }
  return found;
}

function sameName(one: Task, other: Task): boolean {
  return one.name === other.name;
}

function sameNodes(one: Task, other: Task): boolean {
  const ids = (task: Task) => JSON.stringify(task.components.map(nodeId).sort());
  return ids(one) === ids(other);
}

/** The Tasks ticked first: all of a new import; of an update those that one has, and those that the pinned version lacks. */
export function firstChoice(spec: AppSpec, source: AppSpec, pinned: AppSpec | null): Set<string> {
  const there = tasksFrom(spec, source.app_id);
  const had = counterparts(source.tasks, there);
  const known = counterparts(source.tasks, pinned?.tasks ?? there);
  const wanted = source.tasks.filter(
    (task) => there.length === 0 || had.has(task.task_id) || (pinned !== null && !known.has(task.task_id)),
  );
  return new Set(wanted.map((task) => task.task_id));
}

export function conflicts(spec: AppSpec, source: AppSpec, pinned: AppSpec | null): Conflict[] {
  return Object.entries(source.env_vars ?? {}).flatMap(([key, theirs]) => {
    const mine = spec.env_vars?.[key];
    if (mine === undefined || mine === theirs) return [];
    return [{ key, mine, theirs, follows: pinned?.env_vars?.[key] === mine }];
  });
}

/** Variables that come along because one has none of that name. */
export function newVariables(spec: AppSpec, source: AppSpec): [string, string][] {
  return Object.entries(source.env_vars ?? {}).filter(([key]) => spec.env_vars?.[key] === undefined);
}

/**
 * The App with exactly the wanted Tasks of the source, as pinned copies, and its variables. A Task that is there already
 * keeps its id, its place and what it waits for here; others come after the last of them, or at the end.
 */
export function takeOver(spec: AppSpec, taking: Taking): AppSpec {
  const { source } = taking;
  const there = tasksFrom(spec, source.app_id);
  const had = counterparts(source.tasks, there);
  const ids = new Map<string, string>();
  const copies: Task[] = [];
  for (const task of source.tasks.filter((one) => taking.tasks.has(one.task_id))) {
    const old = had.get(task.task_id);
    const fresh = copies.filter((copy) => !there.some((one) => one.task_id === copy.task_id));
    const id = old?.task_id ?? freeTaskId([...spec.tasks, ...fresh]);
    const before = copies.at(-1)?.task_id;
    ids.set(task.task_id, id);
    const copy: Task = { ...structuredClone(task), task_id: id, imported_from: source.app_id };
    const after = [...waitedFor(task, ids, spec, source, before), ...(old ? waitedForHere(old, there) : [])];
    copies.push(withField(copy, "after", after.length === 0 ? undefined : after));
  }
  return withVariables(pinnedTo(placed(spec, source.app_id, copies), source), taking);
}

/** The other Tasks of the import that it waits for there, under their ids here; the listed order, where here none counts. */
function waitedFor(
  task: Task,
  ids: ReadonlyMap<string, string>,
  spec: AppSpec,
  source: AppSpec,
  before: string | undefined,
): string[] {
  if (task.after && task.after.length > 0) return task.after.flatMap((one) => ids.get(one) ?? []);
  const loses = source.execution !== "parallel" && spec.execution === "parallel";
  return loses && before !== undefined ? [before] : [];
}

function waitedForHere(old: Task, there: readonly Task[]): string[] {
  return (old.after ?? []).filter((id) => there.every((task) => task.task_id !== id));
}

function placed(spec: AppSpec, ref: string, copies: readonly Task[]): AppSpec {
  const old = tasksFrom(spec, ref);
  const kept = new Map(copies.map((copy) => [copy.task_id, copy]));
  const gone = new Set(old.map((task) => task.task_id).filter((id) => !kept.has(id)));
  const fresh = copies.filter((copy) => old.every((task) => task.task_id !== copy.task_id));
  const last = spec.tasks.findLastIndex((task) => task.imported_from === ref);
  const tasks = spec.tasks.flatMap((task, index) => {
    const one = task.imported_from === ref ? kept.get(task.task_id) : task;
    return [...(one ? [one] : []), ...(index === last ? fresh : [])];
  });
  const all = last === -1 ? [...tasks, ...fresh] : tasks;
  return { ...spec, tasks: all.map((task) => withoutWaitingFor(task, gone)) };
}

function withoutWaitingFor(task: Task, gone: ReadonlySet<string>): Task {
  if (!task.after?.some((id) => gone.has(id))) return task;
  return { ...task, after: task.after.filter((id) => !gone.has(id)) };
}

function pinnedTo(spec: AppSpec, source: AppSpec): AppSpec {
  const pinned = { app_ref: source.app_id, name: source.name, version: source.version };
  const listed = spec.imported_apps ?? [];
  const at = listed.findIndex((app) => app.app_ref === source.app_id);
  return withField(spec, "imported_apps", at === -1 ? [...listed, pinned] : listed.with(at, pinned));
}

function withVariables(spec: AppSpec, { source, theirs }: Taking): AppSpec {
  const wanted = Object.entries(source.env_vars ?? {}).filter(
    ([key]) => spec.env_vars?.[key] === undefined || theirs.has(key),
  );
  if (wanted.length === 0) return spec;
  return withField(spec, "env_vars", { ...spec.env_vars, ...Object.fromEntries(wanted) });
}

/** 지금 버전 유지: this version of the source is not offered again; one after it is. */
export function decline(spec: AppSpec, ref: string, version: string): AppSpec {
  const listed = spec.imported_apps ?? [];
  const apps = listed.map((app) => (app.app_ref === ref ? withField(app, "declined_version", version) : app));
  return withField(spec, "imported_apps", apps);
}

/** 분리하여 편집: the Task is one's own from now on, and its App is forgotten with the last Task from there. */
export function detach(spec: AppSpec, taskId: string): AppSpec {
  const source = taskOf(spec, taskId)?.imported_from;
  if (!source) return spec;
  const tasks = spec.tasks.map((task) => (task.task_id === taskId ? { ...task, imported_from: null } : task));
  return forgetImport({ ...spec, tasks }, source);
}

/** Only the Tasks that come from there, as a spec of its own: what two versions of an import are compared by. */
export function importOnly(spec: AppSpec, ref: string): AppSpec {
  const tasks = tasksFrom(spec, ref);
  const ids = new Set(tasks.map((task) => task.task_id));
  return {
    app_id: ref,
    name: ref,
    version: "0",
    tasks: tasks.map((task) => {
      const after = (task.after ?? []).filter((id) => ids.has(id));
      return withField({ ...task, imported_from: null }, "after", after.length === 0 ? undefined : after);
    }),
  };
}

/** Placements and the library: which version one is pinned to, what a newer one would change, and taking it over. */

import { changeComponent, type LibraryEntry, type LibraryVersion, withField } from "./edit";
import type { AppSpec, Component, Json } from "./spec";

/** One field that a newer version changes; undefined: not there. */
export interface Difference {
  path: string;
  old: Json | undefined;
  new: Json | undefined;
}

type Fields = Record<string, Json | undefined>;

export function entryOf(component: Component, library: readonly LibraryEntry[]): LibraryEntry | undefined {
  return library.find((entry) => entry.component_id === component.component_id);
}

/** The component's library entry when its newest version is another than the pinned one. */
export function newerThan(component: Component, library: readonly LibraryEntry[]): LibraryEntry | null {
  const entry = entryOf(component, library);
  const pinned = component.component_version;
  return entry && pinned != null && pinned !== entry.version && entry.versions?.[pinned] ? entry : null;
}

/** The placement on the entry's version: what was changed here by hand stays, what still was the old default follows. */
export function updated(component: Component, entry: LibraryEntry): Component {
  const old = entry.versions?.[component.component_version ?? ""];
  let result = withField(component, "component_version", entry.version);
  result = withField(result, "image", { ...entry.image });
  if (!old) return result;
  result = withField(
    result,
    "resources",
    followed(fields(component.resources), fields(old.resources), fields(entry.resources)),
  );
  result = withField(result, "params", followed(component.params ?? {}, old.params, entry.params));
  for (const name of ["command", "args"] as const) {
    if (same(component[name] ?? undefined, old[name] ?? undefined))
      result = withField(result, name, entry[name] ?? undefined);
  }
  return result;
}

export function updatePlacement(spec: AppSpec, taskId: string, node: string, entry: LibraryEntry): AppSpec {
  return changeComponent(spec, taskId, node, (component) => updated(component, entry));
}

/** What `updated` changes, field by field, without the version itself. */
export function differences(component: Component, entry: LibraryEntry): Difference[] {
  const [old, fresh] = [leaves(component), leaves(updated(component, entry))];
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    .filter((path) => !same(old[path], fresh[path]))
    .map((path) => ({ path, old: old[path], new: fresh[path] }));
}

function followed(mine: Fields, old: Fields, fresh: Fields): Fields {
  const kept = Object.entries(mine).flatMap(([name, value]): [string, Json | undefined][] => {
    if (!same(value, old[name])) return [[name, value]];
    return fresh[name] === undefined ? [] : [[name, fresh[name]]];
  });
  const added = Object.entries(fresh).filter(([name]) => !Object.hasOwn(mine, name) && !Object.hasOwn(old, name));
  return Object.fromEntries([...kept, ...added]);
}

function leaves(component: Component | LibraryVersion): Fields {
  const groups: [string, Fields][] = [
    ["image", { registry: component.image.registry, tag: component.image.tag }],
    ["resources", fields(component.resources)],
    ["params", component.params ?? {}],
  ];
  const found = groups.flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]) => [`${group}.${name}`, value]),
  );
  return Object.fromEntries([
    ...found,
    ["command", component.command ?? undefined],
    ["args", component.args ?? undefined],
  ]);
}

function fields(thing: object): Fields {
  return { ...thing } as Fields;
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

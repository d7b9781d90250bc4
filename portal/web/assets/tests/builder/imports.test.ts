import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as edit from "../../src/builder/model/edit";
import * as imports from "../../src/builder/model/imports";
import type { AppSpec, Task } from "../../src/builder/model/spec";
import { component, small } from "./fixtures";

function named(id: string, name: string, more: Partial<Task> = {}): Task {
  return { task_id: id, name, components: [component(name.toUpperCase())], workflow: [], ...more };
}

/** Version 1: load, then clean; version 2: clean in more memory, and pack. */
function source(version = "1"): AppSpec {
  const clean = component("CLEAN", { resources: { memory: version === "1" ? "32GB" : "64GB" } });
  const tasks = [
    named("TASK-001", "load"),
    { ...named("TASK-002", "clean", { after: ["TASK-001"] }), components: [clean] },
    ...(version === "1" ? [] : [named("TASK-003", "pack", { after: ["TASK-002"] })]),
  ];
  return { app_id: "APP-X", name: "X", version, tasks, env_vars: { LEVEL: version, ONLY: "x" } };
}

function taken(spec: AppSpec, from: AppSpec, tasks: string[], theirs: string[] = []): AppSpec {
  return imports.takeOver(spec, { source: from, tasks: new Set(tasks), theirs: new Set(theirs) });
}

const ALL = ["TASK-001", "TASK-002"];
const rows = (spec: AppSpec) => spec.tasks.map((task) => [task.task_id, task.name, task.imported_from ?? null]);
const memory = (spec: AppSpec, name: string) =>
  spec.tasks.find((task) => task.name === name)?.components[0]?.resources.memory;

describe("a new import", () => {
  it("copies the wanted Tasks, locked and pinned, waiting for each other as they did there", () => {
    const spec = taken(small(), source(), ALL);
    expect(rows(spec)).toEqual([
      ["T1", "first", null],
      ["TASK-002", "load", "APP-X"],
      ["TASK-003", "clean", "APP-X"],
    ]);
    expect(spec.tasks[2]?.after).toEqual(["TASK-002"]);
    expect(spec.imported_apps).toEqual([{ app_ref: "APP-X", name: "X", version: "1" }]);
    expect(edit.isLocked(spec, "TASK-002")).toBe(true);
    expect(edit.paste(spec, "TASK-002", edit.copyNodes(spec, "T1", new Set(["A"]))).nodes).toEqual([]);
    expect(edit.isLocked(small(), "T1")).toBe(false);
  });

  it("leaves out what is not wanted, and what would wait for it waits no more", () => {
    const spec = taken(small(), source(), ["TASK-002"]);
    expect(rows(spec)).toEqual([
      ["T1", "first", null],
      ["TASK-002", "clean", "APP-X"],
    ]);
    expect(spec.tasks[1]).not.toHaveProperty("after");
  });

  it("names the App one imports from, not its own sources", () => {
    const from = { ...source(), tasks: [named("TASK-001", "load", { imported_from: "APP-DEEPER" })] };
    expect(taken(small(), from, ["TASK-001"]).tasks[1]?.imported_from).toBe("APP-X");
  });

  it("keeps the listed order where Tasks run in parallel", () => {
    const from = { ...source(), tasks: [named("TASK-001", "load"), named("TASK-002", "clean")] };
    const parallel: AppSpec = { ...small(), execution: "parallel" };
    expect(taken(parallel, from, ALL).tasks.map((task) => task.after)).toEqual([undefined, undefined, ["TASK-002"]]);
    expect(taken(small(), from, ALL).tasks.every((task) => task.after === undefined)).toBe(true);
    const both = taken(parallel, { ...from, execution: "parallel" }, ALL);
    expect(both.tasks.every((task) => task.after === undefined)).toBe(true);
  });

  it("ticks every Task first", () => {
    expect([...imports.firstChoice(small(), source(), null)]).toEqual(ALL);
  });
});

describe("variables", () => {
  const mine = (): AppSpec => ({ ...small(), env_vars: { LEVEL: "mine", OTHER: "1" } });

  it("come along, and mine stay unless theirs are wanted", () => {
    expect(taken(mine(), source(), ALL).env_vars).toEqual({ LEVEL: "mine", OTHER: "1", ONLY: "x" });
    expect(taken(mine(), source(), ALL, ["LEVEL"]).env_vars).toEqual({ LEVEL: "1", OTHER: "1", ONLY: "x" });
    const without = { ...source(), env_vars: undefined } as unknown as AppSpec;
    expect(taken(small(), without, ALL)).not.toHaveProperty("env_vars");
  });

  it("conflict where a key has another value", () => {
    expect(imports.conflicts(mine(), source(), null)).toEqual([
      { key: "LEVEL", mine: "mine", theirs: "1", follows: false },
    ]);
    expect(imports.conflicts({ ...mine(), env_vars: { LEVEL: "1" } }, source(), null)).toEqual([]);
    expect(imports.newVariables(mine(), source())).toEqual([["ONLY", "x"]]);
  });

  it("follow the source where they are what its earlier version brought", () => {
    const spec = taken(small(), source(), ALL);
    expect(imports.conflicts(spec, source("2"), source())).toEqual([
      { key: "LEVEL", mine: "1", theirs: "2", follows: true },
    ]);
    expect(imports.conflicts(mine(), source("2"), source())[0]?.follows).toBe(false);
  });
});

describe("an update", () => {
  it("keeps ids, places and what a Task waits for here; fresh Tasks come after the last", () => {
    let spec = taken(small(), source(), ALL);
    spec = edit.addTask(spec, "own").spec;
    spec = edit.setAfter(spec, "TASK-002", ["T1"]);
    const newer = taken(spec, source("2"), [...ALL, "TASK-003"]);
    expect(rows(newer)).toEqual([
      ["T1", "first", null],
      ["TASK-002", "load", "APP-X"],
      ["TASK-003", "clean", "APP-X"],
      ["TASK-005", "pack", "APP-X"],
      ["TASK-004", "own", null],
    ]);
    expect(newer.tasks.map((task) => task.after)).toEqual([undefined, ["T1"], ["TASK-002"], ["TASK-003"], undefined]);
    expect([memory(spec, "clean"), memory(newer, "clean")]).toEqual(["32GB", "64GB"]);
    expect(newer.imported_apps).toEqual([{ app_ref: "APP-X", name: "X", version: "2" }]);
  });

  it("takes away what is not wanted any more, also from what waited for it", () => {
    const spec = edit.setAfter(taken(small(), source(), ALL), "T1", ["TASK-003"]);
    const newer = taken(spec, source("2"), ["TASK-001"]);
    expect(rows(newer)).toEqual([
      ["T1", "first", null],
      ["TASK-002", "load", "APP-X"],
    ]);
    expect(newer.tasks[0]?.after).toEqual([]);
  });

  it("first ticks what one has and what the pinned version lacked, not what was left out before", () => {
    const some = taken(small(), source(), ["TASK-002"]);
    expect([...imports.firstChoice(some, source("2"), source())]).toEqual(["TASK-002", "TASK-003"]);
    expect([...imports.firstChoice(some, source("2"), null)]).toEqual(["TASK-002"]);
  });

  it("knows a renamed Task by its components", () => {
    const renamed = { ...source("2"), tasks: [{ ...named("TASK-009", "load"), name: "read" }] };
    const spec = taken(small(), source(), ALL);
    expect(rows(taken(spec, renamed, ["TASK-009"]))).toEqual([
      ["T1", "first", null],
      ["TASK-002", "read", "APP-X"],
    ]);
  });

  it("is compared as a spec of its own", () => {
    const spec = edit.setAfter(taken(small(), source(), ALL), "TASK-002", ["T1"]);
    const alone = imports.importOnly(spec, "APP-X");
    expect(alone.app_id).toBe("APP-X");
    expect(rows(alone)).toEqual([
      ["TASK-002", "load", null],
      ["TASK-003", "clean", null],
    ]);
    expect(alone.tasks.map((task) => task.after)).toEqual([undefined, ["TASK-002"]]);
  });

  it("ends as one and the same App however often it is done", () => {
    const subsets = fc.subarray([...ALL, "TASK-003"], { minLength: 1 });
    fc.assert(
      fc.property(subsets, subsets, (first, then) => {
        const once = taken(taken(small(), source("2"), first), source("2"), then);
        expect(taken(once, source("2"), then)).toEqual(once);
        expect(imports.tasksFrom(once, "APP-X")).toHaveLength(then.length);
        expect(new Set(once.tasks.map((task) => task.task_id)).size).toBe(once.tasks.length);
      }),
    );
  });
});

describe("a newer version", () => {
  const spec = taken(small(), source(), ALL);

  it("is offered until it is taken or declined", () => {
    expect(imports.newerVersion(spec, "APP-X", ["2", "1"])).toBe("2");
    expect(imports.newerVersion(spec, "APP-X", ["1"])).toBeNull();
    expect(imports.newerVersion(spec, "APP-X", [])).toBeNull();
    expect(imports.newerVersion(spec, "APP-X", undefined)).toBeNull();
    expect(imports.newerVersion(small(), "APP-X", ["2"])).toBeNull();
    const declined = imports.decline(spec, "APP-X", "2");
    expect(declined.imported_apps).toEqual([{ app_ref: "APP-X", name: "X", version: "1", declined_version: "2" }]);
    expect(imports.newerVersion(declined, "APP-X", ["2", "1"])).toBeNull();
    expect(imports.newerVersion(declined, "APP-X", ["3", "2", "1"])).toBe("3");
    expect(taken(declined, source("2"), ALL).imported_apps?.[0]).not.toHaveProperty("declined_version");
  });

  it("does not reach what was detached, and the App is forgotten with its last Task", () => {
    const once = imports.detach(spec, "TASK-002");
    expect(edit.isLocked(once, "TASK-002")).toBe(false);
    expect(once.imported_apps).toHaveLength(1);
    expect(imports.detach(once, "TASK-003").imported_apps).toEqual([]);
    expect(edit.removeTask(once, "TASK-003").imported_apps).toEqual([]);
    expect(imports.detach(spec, "T1")).toBe(spec);
  });
});

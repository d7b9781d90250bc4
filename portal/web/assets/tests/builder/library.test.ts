import { describe, expect, it } from "vitest";
import { type LibraryEntry, place } from "../../src/builder/model/edit";
import { differences, entryOf, newerThan, updated, updatePlacement } from "../../src/builder/model/library";
import { componentOf, taskOf } from "../../src/builder/model/spec";
import { component, small } from "./fixtures";

const IMAGE = { registry: "registry.avatar.io/agent", tag: "1.0", digest: `sha256:${"1".repeat(64)}` };
const OLD = {
  version: "1.0.0",
  image: IMAGE,
  resources: { gpu_type: "A100", gpu_count: 1, memory: "16GB" },
  params: { lr: 0.1, steps: 10, gone: "x" },
  args: ["--slow"],
};
const ENTRY: LibraryEntry = {
  component_id: "CL-1",
  name: "agent",
  tags: ["rl"],
  version: "1.1.0",
  image: { registry: "registry.avatar.io/agent", tag: "2.0" },
  resources: { gpu_type: "A100", gpu_count: 2, memory: "64GB" },
  params: { lr: 0.2, steps: 10, fresh: true },
  args: ["--fast"],
  versions: { "1.0.0": OLD },
};

function placedOld(more: object = {}) {
  const { version, image, resources, params, args } = OLD;
  const given = { component_version: version, image, resources, params, args, ...more };
  return component("CL-1", structuredClone(given));
}

describe("the library in the Builder", () => {
  it("places a pinned copy with image, digest, resources, parameters and arguments", () => {
    const made = place(small(), "T1", { ...ENTRY, ...OLD });
    const one = componentOf(taskOf(made.spec, "T1"), made.node);
    expect(one).toEqual({
      component_id: "CL-1",
      component_version: "1.0.0",
      name: "agent",
      image: IMAGE,
      resources: OLD.resources,
      params: OLD.params,
      args: ["--slow"],
    });
    expect(one?.params).not.toBe(OLD.params);
    expect(place(made.spec, "T1", ENTRY).node).toBe("CL-1-2");
  });

  it("offers a newer version only to what is pinned to an older one that the library knows", () => {
    expect(newerThan(placedOld(), [ENTRY])).toBe(ENTRY);
    expect(newerThan(placedOld({ component_version: "1.1.0" }), [ENTRY])).toBeNull();
    expect(newerThan(placedOld({ component_version: "0.9" }), [ENTRY])).toBeNull();
    expect(newerThan(placedOld({ component_version: undefined }), [ENTRY])).toBeNull();
    expect(newerThan(component("CL-2", { component_version: "1.0.0" }), [ENTRY])).toBeNull();
    expect(entryOf(component("CL-1"), [ENTRY])).toBe(ENTRY);
  });

  it("takes the newer version over and keeps what was changed by hand", () => {
    const mine = placedOld({
      name: "my agent",
      node_id: "agent-a",
      resources: { gpu_type: "A100", gpu_count: 1, memory: "32GB", nodes: 2 },
      params: { lr: 0.5, steps: 10, gone: "x", own: 1 },
    });
    expect(updated(mine, ENTRY)).toEqual({
      ...mine,
      component_version: "1.1.0",
      image: ENTRY.image,
      resources: { gpu_type: "A100", gpu_count: 2, memory: "32GB", nodes: 2 },
      params: { lr: 0.5, steps: 10, own: 1, fresh: true },
      args: ["--fast"],
    });
    expect(differences(mine, ENTRY)).toEqual([
      { path: "image.tag", old: "1.0", new: "2.0" },
      { path: "resources.gpu_count", old: 1, new: 2 },
      { path: "params.gone", old: "x", new: undefined },
      { path: "args", old: ["--slow"], new: ["--fast"] },
      { path: "params.fresh", old: undefined, new: true },
    ]);
  });

  it("changes only that placement, and nothing when it is gone", () => {
    const spec = small();
    const task = spec.tasks[0];
    if (!task) throw new Error("no Task");
    const before = { ...spec, tasks: [{ ...task, components: [...task.components, placedOld()] }] };
    const after = updatePlacement(before, "T1", "CL-1", ENTRY);
    expect(after.tasks[0]?.components.slice(0, 4)).toEqual(task.components);
    expect(componentOf(after.tasks[0], "CL-1")?.component_version).toBe("1.1.0");
    expect(updatePlacement(before, "T1", "none", ENTRY)).toBe(before);
  });
});

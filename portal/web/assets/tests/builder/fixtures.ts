/** Spec files that the rest of the project tests with, and a small one. */

import { readdirSync, readFileSync } from "node:fs";
import type { Site } from "../../src/builder/model/amounts";
import type { LibraryEntry } from "../../src/builder/model/edit";
import type { AppSpec, Component } from "../../src/builder/model/spec";

const ROOT = "../../..";

export function fixtures(): [string, string][] {
  const examples = readdirSync(`${ROOT}/examples`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(`${ROOT}/examples/${entry.name}`).includes("app.json"))
    .map((entry) => `examples/${entry.name}/app.json`);
  return [...examples, "bench/data/app-spec-example.json"].map((path) => [
    path,
    readFileSync(`${ROOT}/${path}`, "utf8"),
  ]);
}

export const SITE: Site = {
  threshold_gpus: 4,
  threshold_memory_mib: 128 * 1024,
  nodes: [
    { gpu_type: "A100", gpus: 8, memory_mib: 195 * 1024 },
    { gpu_type: "V100", gpus: 8, memory_mib: 95 * 1024 },
  ],
  gpus: { A100: { total: 16, idle: 4, shards: 4 }, V100: { total: 8, idle: 2 } },
  shares_limited: false,
  storage_roots: ["/training-data"],
  registries: ["registry.avatar.io"],
};

export function component(id: string, more: Partial<Component> = {}): Component {
  return {
    component_id: id,
    name: id.toLowerCase(),
    image: { registry: `registry.avatar.io/${id.toLowerCase()}`, tag: "1.0" },
    resources: { gpu_type: "A100", gpu_count: 1, memory: "16GB" },
    params: {},
    ...more,
  };
}

/** One Task T1 with A → B → C and D alone. */
export function small(): AppSpec {
  return {
    app_id: "APP-1",
    name: "small",
    version: "1.0.0",
    tasks: [
      {
        task_id: "T1",
        name: "first",
        components: ["A", "B", "C", "D"].map((id) => component(id)),
        workflow: [
          { from: "A", to: "B" },
          { from: "B", to: "C" },
        ],
      },
    ],
  };
}

export const ENTRY: LibraryEntry = {
  component_id: "A",
  version: "1.0",
  name: "a",
  image: { registry: "registry.avatar.io/a", tag: "1.0" },
  resources: { gpu_type: "A100", gpu_count: 2, memory: "64GB" },
  params: { lr: 0.1 },
  tags: [],
};

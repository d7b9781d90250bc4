/** Amounts as Slurm means them (1024-based), the threshold for an approval, and the largest thing that a node can hold. */

import type { Refusal } from "./graph";
import { type AppSpec, type Component, nodeId, type Resources } from "./spec";

/** A kind of node: what one component can ask of one of them. */
export interface NodeKind {
  gpu_type: string | null;
  gpus: number;
  memory_mib: number;
}

/** What the server says about the site when the page is opened. */
export interface Site {
  threshold_gpus: number;
  threshold_memory_mib: number;
  nodes: NodeKind[];
  /** GPU type -> how many there are, how many are idle, and into how many shares one is cut (absent: none). */
  gpus: Record<string, { total: number; idle: number; shards?: number; fake?: boolean }>;
  /** Whether a library keeps a share of a GPU to its part. */
  shares_limited: boolean;
  storage_roots: string[];
  registries: string[];
}

const MEMORY = /^\s*(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?\s*$/i;
const MIB_PER: Record<string, number> = { K: 1 / 1024, M: 1, G: 1024, T: 1024 * 1024 };

/** `"64GB"`, `"64G"`, `"64GiB"` -> 65536; null for anything else. Rounded up, as slurm/units.py does. */
export function memoryMib(text: string): number | null {
  const match = MEMORY.exec(text);
  if (!match) return null;
  return Math.ceil(Number(match[1]) * (MIB_PER[(match[2] ?? "").toUpperCase()] ?? 0));
}

/** 65536 -> `"64GB"`, 1536 -> `"1536MB"`. */
export function memoryText(mib: number): string {
  return mib % 1024 === 0 ? `${mib / 1024}GB` : `${mib}MB`;
}

/** `A100 x 4 · 128GB`, `CPU x 8 · 32GB`, `A100 1/4 · 16GB`. */
export function resourcesText(asked: Resources, site?: Site, join = " · "): string {
  const nodes = (asked.nodes ?? 1) > 1 ? ` × ${asked.nodes}` : "";
  return `${gpuText(asked, site)}${join}${asked.memory}${nodes}`;
}

function gpuText(asked: Resources, site?: Site): string {
  const type = asked.gpu_type ?? "GPU";
  if (asked.gpu_shards) return `${type} ${asked.gpu_shards}/${site?.gpus[type]?.shards ?? "?"}`;
  if (asked.gpu_count) return `${type} x ${asked.gpu_count}`;
  return asked.cpus ? `CPU x ${asked.cpus}` : "CPU";
}

/** GPUs over all nodes of the component; a share is its fraction of one. */
export function gpuTotal(asked: Resources, site: Site): number {
  const shards = site.gpus[asked.gpu_type ?? ""]?.shards ?? 1;
  const each = asked.gpu_shards ? Math.min(1, asked.gpu_shards / shards) : (asked.gpu_count ?? 0);
  return each * (asked.nodes ?? 1);
}

/** The badge's sentences; none: under the threshold. Sums over components never matter. */
export function approvalReasons(component: Component, site: Site): Refusal[] {
  const asked = component.resources;
  const gpus = gpuTotal(asked, site);
  const memory = (memoryMib(asked.memory) ?? 0) * (asked.nodes ?? 1);
  const found: Refusal[] = [];
  if (gpus >= site.threshold_gpus)
    found.push({ word: "needs_gpu", values: { asked: gpus, threshold: site.threshold_gpus } });
  if (memory >= site.threshold_memory_mib) {
    found.push({
      word: "needs_memory",
      values: { asked: memoryText(memory), threshold: memoryText(site.threshold_memory_mib) },
    });
  }
  return found;
}

/** Why no node can hold the component; null: one can, or the nodes are not known. */
export function tooLarge(component: Component, site: Site): Refusal | null {
  const asked = component.resources;
  if (site.nodes.length === 0) return null;
  const wantsGpus = (asked.gpu_count ?? 0) > 0 || (asked.gpu_shards ?? 0) > 0;
  const usable = site.nodes.filter((node) => !wantsGpus || node.gpu_type === asked.gpu_type);
  if (usable.length === 0) return asked.gpu_type ? { word: "unknown_gpu", values: { type: asked.gpu_type } } : null;
  const memory = memoryMib(asked.memory) ?? 0;
  const gpus = asked.gpu_count ?? 0;
  if (usable.some((node) => node.memory_mib >= memory && (!wantsGpus || node.gpus >= gpus))) return null;
  const largest = usable.reduce((a, b) =>
    b.gpus > a.gpus || (b.gpus === a.gpus && b.memory_mib > a.memory_mib) ? b : a,
  );
  const most = memoryText(Math.floor(largest.memory_mib / 1024) * 1024);
  return { word: "too_large", values: { most: wantsGpus ? `${asked.gpu_type} x ${largest.gpus}, ${most}` : most } };
}

export interface Summary {
  tasks: number;
  components: number;
  /** The component with the most GPUs, then the most memory; null without components. */
  most: Component | null;
  needsApproval: boolean;
}

export function summary(spec: AppSpec, site: Site): Summary {
  const components = spec.tasks.flatMap((task) => task.components);
  return {
    tasks: spec.tasks.length,
    components: components.length,
    most: largestOf(components, site),
    needsApproval: components.some((component) => approvalReasons(component, site).length > 0),
  };
}

export function largestOf(components: readonly Component[], site: Site): Component | null {
  const size = (one: Component) => [gpuTotal(one.resources, site), memoryMib(one.resources.memory) ?? 0] as const;
  return components.reduce<Component | null>((largest, one) => {
    if (!largest) return one;
    const [gpus, memory] = size(one);
    const [most, mostMemory] = size(largest);
    return gpus > most || (gpus === most && memory > mostMemory) ? one : largest;
  }, null);
}

/** `TASK-001/CL-REF-001` of every component that needs an approval. */
export function overThreshold(spec: AppSpec, site: Site): Set<string> {
  const found = spec.tasks.flatMap((task) =>
    task.components
      .filter((one) => approvalReasons(one, site).length > 0)
      .map((one) => `${task.task_id}/${nodeId(one)}`),
  );
  return new Set(found);
}

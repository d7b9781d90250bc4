/** What a connection may not be, and where a component stands in its Task's order; the server's networkx decides again. */

import { type Edge, edgesOf, nodeId, type Task } from "./spec";
import type { Values, Word } from "./words";

/** Why a gesture was not carried out: its sentence and what is filled in. */
export interface Refusal {
  word: Word;
  values: Values;
}

/** Why `from` may not be connected to `to`; null: it may. Names are shown, ids compared. */
export function connectRefusal(task: Task, from: string, to: string): Refusal | null {
  const name = namer(task);
  if (from === to) return { word: "self_loop", values: { node: name(from) } };
  if (edgesOf(task).some((edge) => edge.from === from && edge.to === to)) {
    return { word: "duplicate_edge", values: { from: name(from), to: name(to) } };
  }
  const way = path(edgesOf(task), to, from);
  if (way) return { word: "cycle", values: { nodes: [from, ...way].map(name).join(" → ") } };
  return null;
}

function namer(task: Task): (node: string) => string {
  const names = new Map(task.components.map((component) => [nodeId(component), component.name]));
  const count = new Map<string, number>();
  for (const name of names.values()) count.set(name, (count.get(name) ?? 0) + 1);
  return (node) => {
    const name = names.get(node) ?? node;
    return (count.get(name) ?? 0) > 1 ? node : name;
  };
}

/** A shortest way along the connections, both ends included; null: there is none. */
function path(edges: readonly Edge[], from: string, to: string): string[] | null {
  const next = successors(edges);
  const before = new Map<string, string | null>([[from, null]]);
  const queue = [from];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    if (node === to) {
      const way: string[] = [];
      for (let step: string | null = to; step !== null; step = before.get(step) ?? null) way.unshift(step);
      return way;
    }
    for (const follower of next.get(node) ?? []) {
      if (before.has(follower)) continue;
      before.set(follower, node);
      queue.push(follower);
    }
  }
  return null;
}

function successors(edges: readonly Edge[]): Map<string, string[]> {
  const next = new Map<string, string[]>();
  for (const edge of edges) next.set(edge.from, [...(next.get(edge.from) ?? []), edge.to]);
  return next;
}

/** Node -> its stage, from 1: one more than the latest of those before it. What stands in a cycle has none. */
export function stages(task: Task): Map<string, number> {
  const waiting = new Map<string, number>(task.components.map((component) => [nodeId(component), 0]));
  const edges = edgesOf(task).filter((edge) => waiting.has(edge.from) && waiting.has(edge.to));
  for (const edge of edges) waiting.set(edge.to, (waiting.get(edge.to) ?? 0) + 1);
  const next = successors(edges);
  const stage = new Map<string, number>();
  let ready = [...waiting].filter(([, count]) => count === 0).map(([node]) => node);
  for (let number = 1; ready.length > 0; number += 1) {
    const following: string[] = [];
    for (const node of ready) {
      stage.set(node, number);
      for (const follower of next.get(node) ?? []) {
        const left = (waiting.get(follower) ?? 0) - 1;
        waiting.set(follower, left);
        if (left === 0) following.push(follower);
      }
    }
    ready = following;
  }
  return stage;
}

/** Nodes in the order in which they run: by stage, inside one as the spec lists them, those in a cycle last. */
export function inOrder(task: Task): string[] {
  const stage = stages(task);
  const nodes = task.components.map(nodeId);
  const rank = (node: string) => stage.get(node) ?? Number.MAX_SAFE_INTEGER;
  return nodes
    .map((node, index) => ({ node, index }))
    .sort((a, b) => rank(a.node) - rank(b.node) || a.index - b.index)
    .map(({ node }) => node);
}

export function predecessors(task: Task, node: string): string[] {
  return edgesOf(task)
    .filter((edge) => edge.to === node)
    .map((edge) => edge.from);
}

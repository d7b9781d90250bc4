/** Where nodes stand: kept beside the spec, never in it; dagre places what has no place yet, or everything when asked. */

import dagre from "@dagrejs/dagre";
import { edgesOf, nodeId, type Task } from "./spec";

export interface Point {
  x: number;
  y: number;
}
/** Task id -> node -> place. */
export type Layout = Record<string, Record<string, Point>>;

export const NODE = { width: 192, height: 88 };
export const GRID = 8;
const GAP = 56;

/** Places of all nodes of a Task, left to right. */
export function arrange(task: Task): Record<string, Point> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 32, ranksep: GAP, marginx: 24, marginy: 48 });
  graph.setDefaultEdgeLabel(() => ({}));
  const nodes = task.components.map(nodeId);
  for (const node of nodes) graph.setNode(node, { ...NODE });
  for (const edge of edgesOf(task))
    if (graph.hasNode(edge.from) && graph.hasNode(edge.to)) graph.setEdge(edge.from, edge.to);
  dagre.layout(graph);
  return Object.fromEntries(
    nodes.map((node) => {
      const { x, y } = graph.node(node);
      return [node, { x: snap(x - NODE.width / 2), y: snap(y - NODE.height / 2) }];
    }),
  );
}

/** The corners of the way from a node's right side to another's left: straight on, by a step half-way, or back between the rows. */
export function corners(from: Point, to: Point): Point[] {
  if (to.x < from.x + GRID) {
    const [out, home, between] = [from.x + GAP / 2, to.x - GAP / 2, (from.y + to.y) / 2];
    return [
      { x: out, y: from.y },
      { x: out, y: between },
      { x: home, y: between },
      { x: home, y: to.y },
    ];
  }
  if (from.y === to.y) return [];
  const middle = (from.x + to.x) / 2;
  return [
    { x: middle, y: from.y },
    { x: middle, y: to.y },
  ];
}

export function snap(value: number): number {
  return Math.round(value / GRID) * GRID;
}

/** The known places, and dagre's for a Task of which none is known; a single newcomer stands right of the others. */
export function placed(task: Task, layout: Layout): Record<string, Point> {
  const known = layout[task.task_id] ?? {};
  const nodes = task.components.map(nodeId);
  const missing = nodes.filter((node) => !known[node]);
  if (missing.length === 0) return known;
  if (missing.length === nodes.length) return arrange(task);
  const right = Math.max(...Object.values(known).map((point) => point.x)) + NODE.width + GAP;
  const top = Math.min(...Object.values(known).map((point) => point.y));
  const added = missing.map((node, index) => [node, { x: snap(right), y: snap(top + index * (NODE.height + 32)) }]);
  return { ...known, ...Object.fromEntries(added) };
}

export function moved(layout: Layout, taskId: string, places: Record<string, Point>): Layout {
  return { ...layout, [taskId]: { ...layout[taskId], ...places } };
}

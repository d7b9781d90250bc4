/** Draws a Task with arrows, in execution order, as SVG text: on the page, and as a file that needs no stylesheet. */

import dagre from "@dagrejs/dagre";
import { approvalReasons, resourcesText, type Site } from "../model/amounts";
import { stages } from "../model/graph";
import { NODE } from "../model/layout";
import { componentOf, edgesOf, nodeId, shortImage, type Task } from "../model/spec";
import { type Language, say } from "../model/words";

/** Computed colours: an SVG file knows no custom properties. */
export interface Colours {
  ground: string;
  node: string;
  line: string;
  edge: string;
  ink: string;
  meta: string;
  await: string;
}

const XML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** Text as XML text; characters that XML 1.0 cannot hold (most controls, lone surrogates) go. */
export function escapeXml(text: string): string {
  return [...text]
    .filter((char) => isXml(char.codePointAt(0) ?? 0))
    .map((char) => XML[char] ?? char)
    .join("");
}

function isXml(code: number): boolean {
  if (code < 0x20) return code === 9 || code === 10 || code === 13;
  return !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

export function previewSvg(task: Task, site: Site, language: Language, colours: Colours): string {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 24, ranksep: 56, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const component of task.components) graph.setNode(nodeId(component), { ...NODE });
  for (const edge of edgesOf(task))
    if (graph.hasNode(edge.from) && graph.hasNode(edge.to) && edge.from !== edge.to) graph.setEdge(edge.from, edge.to);
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const size = {
    width: Math.max(1, Math.ceil(Number.isFinite(width) ? width : 1)),
    height: Math.max(1, Math.ceil(Number.isFinite(height) ? height : 1)),
  };
  const stage = stages(task);
  const started = new Set(
    edgesOf(task)
      .filter((edge) => edge.when === "started")
      .map((edge) => `${edge.from}\n${edge.to}`),
  );
  const edges = graph.edges().map(({ v, w }) => {
    const points: { x: number; y: number }[] = graph.edge(v, w).points ?? [];
    const way = points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join(" ");
    const dash = started.has(`${v}\n${w}`) ? ' stroke-dasharray="4 4"' : "";
    return `<path d="${way}" fill="none" stroke="${colours.edge}" stroke-width="1.75"${dash} marker-end="url(#arrow)"/>`;
  });
  const nodes = task.components.map((component) => {
    const { x, y } = graph.node(nodeId(component));
    const over = approvalReasons(component, site).length > 0;
    return nodeSvg(
      task,
      nodeId(component),
      x - NODE.width / 2,
      y - NODE.height / 2,
      stage.get(nodeId(component)),
      over,
      site,
      language,
      colours,
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeXml(task.name)}" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="Pretendard Variable, Pretendard, Noto Sans KR, sans-serif">`,
    `<defs><marker id="arrow" markerWidth="10" markerHeight="9" refX="9" refY="4.5" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0L10 4.5L0 9Z" fill="${colours.edge}"/></marker></defs>`,
    `<rect width="100%" height="100%" fill="${colours.ground}"/>`,
    ...edges,
    ...nodes,
    "</svg>",
  ].join("");
}

function nodeSvg(
  task: Task,
  node: string,
  x: number,
  y: number,
  stage: number | undefined,
  over: boolean,
  site: Site,
  language: Language,
  colours: Colours,
): string {
  const component = componentOf(task, node);
  if (!component) return "";
  const square = over ? colours.await : colours.line;
  const orderInk = over ? colours.ground : colours.ink;
  const mark = over
    ? `<text x="${NODE.width - 12}" y="78" text-anchor="end" font-size="12" font-weight="600" fill="${colours.await}">${say(language, "approval_short")}</text>`
    : "";
  return [
    `<g transform="translate(${round(x)} ${round(y)})">`,
    `<rect width="${NODE.width}" height="${NODE.height}" rx="8" fill="${colours.node}" stroke="${over ? colours.await : colours.line}"/>`,
    `<rect x="12" y="12" width="20" height="20" rx="4" fill="${square}"/>`,
    `<text x="22" y="26" text-anchor="middle" font-size="12" font-weight="600" fill="${orderInk}">${stage ?? "!"}</text>`,
    `<text x="40" y="26" font-size="13" font-weight="650" fill="${colours.ink}">${escapeXml(cut(component.name, 20))}</text>`,
    `<text x="12" y="49" font-size="12" font-family="monospace" fill="${colours.meta}">${escapeXml(cut(shortImage(component.image), 23))}</text>`,
    `<line x1="0" x2="${NODE.width}" y1="60" y2="60" stroke="${colours.line}"/>`,
    `<text x="12" y="78" font-size="12" font-weight="600" fill="${colours.ink}">${escapeXml(cut(resourcesText(component.resources, site), over ? 18 : 26))}</text>`,
    mark,
    "</g>",
  ].join("");
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

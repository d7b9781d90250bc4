/** From a problem's JSON path to the place in the Builder where it is mended, and to line and column of the JSON text. */

import { type AppSpec, nodeId } from "./spec";

export interface Place {
  tab: "app" | "task";
  task?: string;
  node?: string;
  /** Dotted, inside the component or the App: "resources.memory", "env_vars.PATH". */
  field?: string;
}

/** `$.tasks[0].components[1].resources.memory` and `$.env_vars["a b"]` -> keys and indices. */
export function pathParts(path: string): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const match of path.matchAll(/\.([A-Za-z_][\w-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]/g)) {
    if (match[1] !== undefined) parts.push(match[1]);
    else if (match[2] !== undefined) parts.push(Number(match[2]));
    else parts.push(JSON.parse(`"${match[3]}"`) as string);
  }
  return parts;
}

export function placeOf(spec: AppSpec, path: string): Place {
  const parts = pathParts(path);
  const task = parts[0] === "tasks" && typeof parts[1] === "number" ? spec.tasks[parts[1]] : undefined;
  if (!task) return { tab: "app", ...fieldOf(parts) };
  const component = parts[2] === "components" && typeof parts[3] === "number" ? task.components[parts[3]] : undefined;
  if (component) return { tab: "task", task: task.task_id, node: nodeId(component), ...fieldOf(parts.slice(4)) };
  const edge = parts[2] === "workflow" && typeof parts[3] === "number" ? task.workflow?.[parts[3]] : undefined;
  if (edge) return { tab: "task", task: task.task_id, node: edge.to, field: "predecessors" };
  const inTask = parts[2] === "components" || parts[2] === "workflow";
  return { tab: inTask ? "task" : "app", task: task.task_id, ...fieldOf(parts.slice(2)) };
}

function fieldOf(parts: (string | number)[]): { field?: string } {
  return parts.length === 0 ? {} : { field: parts.join(".") };
}

/** Line and column from 1. */
export interface Spot {
  line: number;
  column: number;
}

export function spotAt(text: string, offset: number): Spot {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

/** Where the value of `path` begins in the text; the innermost part that is there when the rest is missing. */
export function spotOf(text: string, path: string): Spot {
  const scan = new Scanner(text);
  return spotAt(text, scan.find(pathParts(path)));
}

/** Walks JSON text that JSON.parse accepts; only as much of it as a path needs. */
class Scanner {
  private at = 0;
  constructor(private readonly text: string) {}

  find(parts: (string | number)[]): number {
    this.space();
    let found = this.at;
    for (const part of parts) {
      if (!this.enter(part)) break;
      found = this.at;
    }
    return found;
  }

  private enter(part: string | number): boolean {
    const array = this.text[this.at] === "[";
    if (array !== (typeof part === "number") || (!array && this.text[this.at] !== "{")) return false;
    this.at += 1;
    for (let index = 0; ; index += 1) {
      this.space();
      if (this.at >= this.text.length || this.text[this.at] === "]" || this.text[this.at] === "}") return false;
      let key: string | number = index;
      if (!array) {
        key = JSON.parse(this.string()) as string;
        this.space();
        this.at += 1; // the colon
        this.space();
      }
      if (key === part) return true;
      this.skip();
      this.space();
      if (this.text[this.at] === ",") this.at += 1;
    }
  }

  private skip(): void {
    let depth = 0;
    do {
      this.space();
      const char = this.text[this.at];
      if (char === undefined) return;
      if (char === '"') this.string();
      else {
        if (char === "{" || char === "[") depth += 1;
        if (char === "}" || char === "]") depth -= 1;
        this.at += 1;
        if (depth === 0 && !/[{}[\],:]/.test(char)) while (/[^\s,\]}]/.test(this.text[this.at] ?? " ")) this.at += 1;
      }
    } while (depth > 0);
  }

  private string(): string {
    const start = this.at;
    for (this.at += 1; this.at < this.text.length && this.text[this.at] !== '"'; this.at += 1) {
      if (this.text[this.at] === "\\") this.at += 1;
    }
    this.at += 1;
    return this.text.slice(start, this.at);
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? "x")) this.at += 1;
  }
}

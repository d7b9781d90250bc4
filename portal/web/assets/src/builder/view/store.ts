/** What the Builder shows at this moment, and the one way to change it. */

import type { Site } from "../model/amounts";
import type { LibraryEntry, Outcome, Piece } from "../model/edit";
import { begin, type History, redo, step, undo } from "../model/history";
import type { Layout } from "../model/layout";
import { readRecents, withRecent } from "../model/recents";
import { type AppSpec, componentOf, nodeId, type Task, taskOf } from "../model/spec";
import { type Language, say } from "../model/words";

export interface Problem {
  path: string;
  code: string;
  severity: "error" | "warning";
  message: string;
  cure: string;
}

/** What the server puts into the page. */
export interface PageData {
  app_id: string;
  user: string;
  spec: AppSpec;
  layout: Layout;
  revision: number;
  may_edit: boolean;
  language: Language;
  site: Site;
  palette: LibraryEntry[];
  /** Of each App that is imported its versions, newest first; none when one may not see it. */
  sources: Record<string, string[]>;
  urls: {
    draft: string;
    validate: string;
    plan: string;
    publish: string;
    discard: string;
    importable: string;
    difference: string;
    app: string;
    trainer: string;
    library: string;
    image_checks: string;
  };
  csrf: { header: string; token: string };
}

export interface Draft {
  spec: AppSpec;
  layout: Layout;
}

export type Tab = "app" | "task" | "flow";
export type View = "canvas" | "outline" | "json";
export type SaveState = "saved" | "unsaved" | "saving" | "failed" | "conflict" | "signed_out";

export interface Shown {
  tab: Tab;
  view: View;
  task: string;
  nodes: ReadonlySet<string>;
  edge: { from: string; to: string } | null;
  problems: Problem[];
  save: SaveState;
  savedAt: string;
  field: string;
}

export type Part = keyof Shown | "spec" | "layout";

export class Store {
  readonly data: PageData;
  readonly language: Language;
  shown: Shown;
  clipboard: Piece | null = null;
  private history: History<Draft>;
  private readonly listeners: ((changed: ReadonlySet<Part>, from: string) => void)[] = [];

  constructor(data: PageData, shown: Partial<Shown> = {}) {
    this.data = data;
    this.language = data.language;
    this.history = begin({ spec: data.spec, layout: data.layout });
    const first = data.spec.tasks[0]?.task_id ?? "";
    this.shown = {
      tab: "task",
      view: "canvas",
      task: first,
      nodes: new Set(),
      edge: null,
      problems: [],
      save: "saved",
      savedAt: "",
      field: "",
      ...shown,
    };
    this.keepShownThere();
  }

  get spec(): AppSpec {
    return this.history.present.spec;
  }
  get layout(): Layout {
    return this.history.present.layout;
  }
  get task(): Task | undefined {
    return taskOf(this.spec, this.shown.task);
  }
  get mayEdit(): boolean {
    return this.data.may_edit;
  }
  get canUndo(): boolean {
    return this.history.past.length > 0;
  }
  get canRedo(): boolean {
    return this.history.future.length > 0;
  }

  /** The one selected component; undefined when there is none or there are several. */
  get selected(): string | undefined {
    return this.shown.nodes.size === 1 ? [...this.shown.nodes][0] : undefined;
  }

  listen(listener: (changed: ReadonlySet<Part>, from: string) => void): void {
    this.listeners.push(listener);
  }

  /** A step that can be undone; `from` names the panel that made it, `key` joins steps of one field. */
  change(next: Partial<Draft>, from = "", key = ""): void {
    if (!this.mayEdit) return;
    this.go(step(this.history, { ...this.history.present, ...next }, key), from);
  }

  /** An outcome carried out, or its refusal said. */
  attempt(outcome: Outcome, from = ""): boolean {
    if (outcome.refused) {
      this.say(say(this.language, outcome.refused.word, outcome.refused.values), true);
      return false;
    }
    this.change({ spec: outcome.spec }, from);
    return true;
  }

  undo(): void {
    this.go(undo(this.history), "history");
  }
  redo(): void {
    this.go(redo(this.history), "history");
  }

  /** Another state of the draft from outside: the server's, or a copy of this browser. */
  /** The components that this person placed last, in whatever App. */
  recents(): string[] {
    return readRecents(window.localStorage.getItem(this.recentsKey));
  }

  placed(componentId: string): void {
    try {
      window.localStorage.setItem(this.recentsKey, JSON.stringify(withRecent(this.recents(), componentId)));
    } catch {
      // No room in this browser: the list stays what it was.
    }
  }

  private get recentsKey(): string {
    return `one.recent.${this.data.user}`;
  }

  replace(draft: Draft): void {
    this.go(step(this.history, draft), "replace");
  }

  show(next: Partial<Shown>, from = ""): void {
    const changed = new Set<Part>();
    for (const [name, value] of Object.entries(next)) {
      if (this.shown[name as keyof Shown] !== value) changed.add(name as Part);
    }
    if (changed.size === 0) return;
    this.shown = { ...this.shown, ...next };
    this.tell(changed, from);
  }

  select(nodes: Iterable<string>, from = ""): void {
    const wanted = new Set(nodes);
    const same = wanted.size === this.shown.nodes.size && [...wanted].every((node) => this.shown.nodes.has(node));
    if (same && this.shown.edge === null) return;
    this.show({ nodes: same ? this.shown.nodes : wanted, edge: null }, from);
  }

  /** A registry's answer changes what the checks say: whoever asks the server for them does so again. */
  imageAnswered = (): void => {};

  /** One sentence for everybody: shown for a while and spoken. */
  say(message: string, isRefusal = false): void {
    const place = document.getElementById("b-say");
    if (!place) return;
    place.textContent = message;
    place.classList.toggle("b-refused", isRefusal);
    place.classList.add("is-shown");
    window.clearTimeout(this.sayTimer);
    this.sayTimer = window.setTimeout(() => place.classList.remove("is-shown"), 6000);
  }
  private sayTimer = 0;

  private go(history: History<Draft>, from: string): void {
    const [old, present] = [this.history.present, history.present];
    this.history = history;
    const changed = new Set<Part>();
    if (old.spec !== present.spec) changed.add("spec");
    if (old.layout !== present.layout) changed.add("layout");
    if (changed.size === 0) return;
    for (const part of this.keepShownThere()) changed.add(part);
    this.tell(changed, from);
  }

  /** What is shown must exist: a Task that went is left, nodes that went are no longer selected. */
  private keepShownThere(): Part[] {
    const task = this.task ?? this.spec.tasks[0];
    const there = new Set(task?.components.map(nodeId));
    const nodes = [...this.shown.nodes].filter((node) => there.has(node));
    const gone: Part[] = [];
    if ((task?.task_id ?? "") !== this.shown.task) gone.push("task");
    if (nodes.length !== this.shown.nodes.size) gone.push("nodes");
    const edge = this.shown.edge;
    const edgeThere = edge && componentOf(task, edge.from) && componentOf(task, edge.to);
    this.shown = {
      ...this.shown,
      task: task?.task_id ?? "",
      nodes: gone.includes("nodes") ? new Set(nodes) : this.shown.nodes,
      edge: edgeThere ? edge : null,
    };
    return gone;
  }

  private tell(changed: ReadonlySet<Part>, from: string): void {
    for (const listener of this.listeners) listener(changed, from);
  }
}

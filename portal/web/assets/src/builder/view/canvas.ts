/** The drawing of one Task on X6: cells follow the model, gestures become steps of the model, keys do what the mouse does. */

import { Graph, MiniMap, type Node, Selection, Shape } from "@antv/x6";
import { approvalReasons, resourcesText, tooLarge } from "../model/amounts";
import * as edit from "../model/edit";
import { connectRefusal, inOrder, predecessors, stages } from "../model/graph";
import { arrange, corners, GRID, moved, NODE, type Point, placed, snap } from "../model/layout";
import { componentOf, edgesOf, isImported, nodeId, shortImage, type Task } from "../model/spec";
import { either, say } from "../model/words";
import { h } from "./dom";
import type { Store } from "./store";

const NODE_SHAPE = "one-node";
const EDGE_SHAPE = "one-edge";
const ROUTER = "one-road";
const MINIMAP_FROM = 12;
export const PALETTE_TYPE = "application/x-one-component";

const port = (x: number) => ({
  position: { name: "absolute", args: { x, y: NODE.height / 2 } },
  markup: [{ tagName: "circle", selector: "ring", attrs: { class: "b-port", r: 5, magnet: "true" } }],
});

Graph.registerNode(
  NODE_SHAPE,
  {
    ...NODE,
    markup: [
      { tagName: "rect", selector: "body", attrs: { class: "b-node-body", rx: 8, ry: 8 } },
      {
        tagName: "rect",
        selector: "square",
        attrs: { class: "b-node-square", x: 12, y: 12, width: 20, height: 20, rx: 4 },
      },
      { tagName: "text", selector: "order", attrs: { class: "b-node-order", x: 22, y: 26 } },
      { tagName: "text", selector: "name", attrs: { class: "b-node-name", x: 40, y: 26 } },
      { tagName: "text", selector: "image", attrs: { class: "b-node-image", x: 12, y: 49 } },
      { tagName: "line", selector: "rule", attrs: { class: "b-node-rule", x1: 0, x2: NODE.width, y1: 60, y2: 60 } },
      { tagName: "text", selector: "asked", attrs: { class: "b-node-asked", x: 12, y: 78 } },
      { tagName: "text", selector: "mark", attrs: { class: "b-node-mark", x: NODE.width - 12, y: 78 } },
    ],
    attrs: { body: { refWidth: "100%", refHeight: "100%" } },
    ports: { groups: { in: port(0), out: port(NODE.width) } },
  },
  true,
);

// X6's own `orth` takes the ring of a port for a node, and leaves it on any side: here lines run left to right.
Graph.registerRouter(
  ROUTER,
  (_vertices, _args, view) => corners(view.sourceBBox.getCenter(), view.targetBBox.getCenter()),
  true,
);

Graph.registerEdge(
  EDGE_SHAPE,
  {
    inherit: "edge",
    router: { name: ROUTER },
    connector: { name: "rounded", args: { radius: 10 } },
    attrs: { line: { class: "b-edge", targetMarker: { name: "block", width: 10, height: 9 } } },
  },
  true,
);

export class Canvas {
  readonly graph: Graph;
  private readonly reason = h("div", { class: "b-reason", role: "status" });
  private readonly map = h("div", { class: "b-minimap", "aria-hidden": "true" });
  private syncing = false;
  private connectFrom: string | null = null;
  private focused = "";

  constructor(
    private readonly store: Store,
    private readonly root: HTMLElement,
    private readonly openInspector: () => void,
  ) {
    const host = h("div", { class: "b-graph" });
    root.append(host, this.reason, this.map);
    this.graph = this.makeGraph(host);
    this.listen();
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("dragover", (event) => this.onDragOver(event));
    root.addEventListener("drop", (event) => this.onDrop(event));
    root.addEventListener("focusin", (event) => {
      const cell = (event.target as Element).closest?.("[data-cell-id]")?.getAttribute("data-cell-id");
      if (cell && componentOf(store.task, cell)) this.focused = cell;
    });
    store.listen((changed, from) => {
      if (["spec", "layout", "task"].some((part) => changed.has(part as never)))
        this.sync(changed.has("task") || from === "replace");
      if (changed.has("nodes") || changed.has("edge") || changed.has("spec")) this.showSelection();
      if (changed.has("tab") || changed.has("view")) this.shownAgain();
    });
    this.sync(true);
  }

  private get language() {
    return this.store.language;
  }
  private get mayDraw(): boolean {
    return this.store.mayEdit && this.store.task !== undefined && !isImported(this.store.task) && !narrow();
  }

  private makeGraph(container: HTMLElement): Graph {
    const graph = new Graph({
      container,
      autoResize: container.parentElement as HTMLElement,
      grid: { size: GRID, visible: false },
      background: false,
      panning: { enabled: true, modifiers: narrow() ? null : "space", eventTypes: ["leftMouseDown", "mouseWheelDown"] },
      mousewheel: { enabled: true, modifiers: ["ctrl", "meta"], minScale: 0.2, maxScale: 2 },
      scaling: { min: 0.2, max: 2 },
      interacting: () => (this.mayDraw ? { nodeMovable: true, edgeMovable: false } : false),
      connecting: {
        snap: { radius: 24 },
        allowBlank: false,
        allowNode: false,
        allowEdge: false,
        allowLoop: true,
        allowMulti: true,
        highlight: true,
        createEdge: () => new Shape.Edge({ shape: EDGE_SHAPE, attrs: { line: { class: "b-edge b-edge-new" } } }),
        validateMagnet: ({ magnet }) => this.mayDraw && magnet.getAttribute("port-group") === "out",
        validateConnection: ({ sourceCell, targetCell, targetPort }) =>
          this.mayConnect(sourceCell?.id, targetCell?.id, targetPort),
      },
      highlighting: { magnetAvailable: { name: "className", args: { className: "is-available" } } },
    });
    graph.use(
      new Selection({
        enabled: true,
        rubberband: true,
        multiple: true,
        multipleSelectionModifiers: ["shift"],
        movable: true,
        showNodeSelectionBox: false,
        pointerEvents: "none",
      }),
    );
    return graph;
  }

  private mayConnect(from?: string, to?: string, targetPort?: string | null): boolean {
    const task = this.store.task;
    if (!task || !from || !to || targetPort !== "in") return false;
    const refused = connectRefusal(task, from, to);
    this.reason.textContent = refused ? say(this.language, refused.word, refused.values) : "";
    this.reason.classList.toggle("is-shown", refused !== null);
    return refused === null;
  }

  private listen(): void {
    const { graph, store } = this;
    graph.on("edge:connected", ({ edge }) => {
      const [from, to] = [edge.getSourceCellId(), edge.getTargetCellId()];
      this.syncing = true;
      edge.remove();
      this.syncing = false;
      store.attempt(edit.connect(store.spec, store.shown.task, from, to), "canvas");
    });
    graph.on("edge:removed", () => this.reason.classList.remove("is-shown"));
    graph.on("node:moved", () => this.keepPlaces());
    graph.on("selection:changed", ({ selected }) => {
      if (this.syncing) return;
      store.select(
        selected.filter((cell) => cell.isNode()).map((cell) => cell.id),
        "canvas",
      );
    });
    graph.on("edge:click", ({ edge }) =>
      store.show({ nodes: new Set(), edge: { from: edge.getSourceCellId(), to: edge.getTargetCellId() } }),
    );
    graph.on("blank:click", () => store.show({ nodes: new Set(), edge: null }));
    graph.on("node:dblclick", () => this.openInspector());
    graph.on("blank:mouseup", () => this.reason.classList.remove("is-shown"));
  }

  /** After a drag: the places of all that moved are one step. */
  private keepPlaces(): void {
    const task = this.store.task;
    if (!task) return;
    const known = placed(task, this.store.layout);
    const places = Object.fromEntries(
      this.graph
        .getNodes()
        .map((node) => [node.id, this.placeOf(node)] as const)
        .filter(([node, { x, y }]) => known[node]?.x !== x || known[node]?.y !== y),
    );
    if (Object.keys(places).length === 0) return;
    this.store.change({ layout: moved(this.store.layout, task.task_id, { ...known, ...places }) }, "canvas");
  }

  private placeOf(node: Node): Point {
    const { x, y } = node.getPosition();
    return { x: snap(x), y: snap(y) };
  }

  /** Makes the cells what the model says: added, changed, moved, removed; untouched ones stay. */
  sync(fit = false): void {
    const task = this.store.task;
    this.syncing = true;
    const wanted = new Set<string>();
    this.graph.batchUpdate(() => {
      if (task) {
        const places = placed(task, this.store.layout);
        const stage = stages(task);
        for (const component of task.components) {
          const id = nodeId(component);
          wanted.add(id);
          this.putNode(task, id, places[id] ?? { x: 0, y: 0 }, stage.get(id));
        }
        for (const edge of edgesOf(task)) {
          const id = `${edge.from}→${edge.to}`;
          if (!wanted.has(edge.from) || !wanted.has(edge.to) || edge.from === edge.to) continue;
          wanted.add(id);
          const style = edge.when === "started" ? "b-edge b-edge-started" : "b-edge";
          const there = this.graph.getCellById(id);
          if (there) there.setAttrByPath("line/class", style);
          else {
            this.graph.addEdge({
              id,
              shape: EDGE_SHAPE,
              source: { cell: edge.from, port: "out" },
              target: { cell: edge.to, port: "in" },
              attrs: { line: { class: style } },
              zIndex: 0,
            });
          }
        }
      }
      for (const cell of this.graph.getCells()) if (!wanted.has(cell.id)) this.graph.removeCell(cell);
    });
    this.syncing = false;
    this.graph.container.setAttribute("role", "group");
    this.graph.container.setAttribute("aria-label", this.describeTask(task));
    this.showSelection();
    this.showMap(task);
    if (fit) this.fit();
    this.label();
  }

  private putNode(task: Task, id: string, place: Point, stage: number | undefined): void {
    const component = componentOf(task, id);
    if (!component) return;
    const { site } = this.store.data;
    const approval = approvalReasons(component, site).length > 0;
    const impossible = tooLarge(component, site) !== null;
    const lock = isImported(task);
    const badge = impossible
      ? either(this.language, "노드 없음", "No node")
      : approval
        ? say(this.language, "approval_short")
        : "";
    const attrs = {
      body: {
        class: `b-node-body${approval ? " is-over" : ""}${lock ? " is-locked" : ""}${impossible ? " is-bad" : ""}`,
      },
      square: { class: `b-node-square${approval ? " is-over" : ""}` },
      order: { class: `b-node-order${approval ? " is-over" : ""}`, text: stage === undefined ? "!" : String(stage) },
      name: { text: shorten(component.name, 18) },
      image: { text: shorten(shortImage(component.image), 24) },
      asked: { text: shorten(resourcesText(component.resources, site), badge ? 18 : 26) },
      mark: {
        text: badge || (lock ? either(this.language, "가져옴", "Imported") : ""),
        class: `b-node-mark${impossible ? " is-bad" : approval ? " is-over" : ""}`,
      },
    };
    const there = this.graph.getCellById(id) as Node | null;
    if (!there) {
      this.graph.addNode({
        id,
        shape: NODE_SHAPE,
        ...place,
        attrs,
        zIndex: 1,
        ports: {
          items: [
            { id: "in", group: "in" },
            { id: "out", group: "out" },
          ],
        },
      });
      return;
    }
    const at = there.getPosition();
    if (at.x !== place.x || at.y !== place.y) there.setPosition(place);
    there.setAttrs(attrs);
  }

  private showSelection(): void {
    const { nodes, edge } = this.store.shown;
    this.syncing = true;
    for (const cell of this.graph.getCells()) {
      const chosen = cell.isNode() ? nodes.has(cell.id) : edge !== null && cell.id === `${edge.from}→${edge.to}`;
      this.graph.findViewByCell(cell)?.container.classList.toggle("is-selected", chosen);
    }
    const selection = this.graph.getPlugin<Selection>("selection");
    const cells = [...nodes].map((id) => this.graph.getCellById(id)).filter((cell) => cell !== null);
    const now = selection?.getSelectedCells() ?? [];
    if (now.length !== cells.length || now.some((cell) => !nodes.has(cell.id))) selection?.reset(cells);
    this.syncing = false;
    this.label();
  }

  /** X6 knows no screen readers: every node says what it is, and one of them is in the tab order. */
  private label(): void {
    const task = this.store.task;
    if (!task) return;
    const stage = stages(task);
    const nodes = task.components.map(nodeId);
    const entry = nodes.includes(this.focused) ? this.focused : (this.store.selected ?? nodes[0] ?? "");
    for (const component of task.components) {
      const id = nodeId(component);
      const view = this.graph.findViewByCell(id)?.container;
      if (!view) continue;
      const before = predecessors(task, id).map((node) => componentOf(task, node)?.name ?? node);
      const parts = [
        `${stage.get(id) ?? "?"}. ${component.name}`,
        shortImage(component.image),
        resourcesText(component.resources, this.store.data.site),
        ...approvalReasons(component, this.store.data.site).map((one) => say(this.language, one.word, one.values)),
        before.length > 0 ? either(this.language, `선행: ${before.join(", ")}`, `after ${before.join(", ")}`) : "",
      ];
      view.setAttribute("role", "group");
      view.setAttribute("tabindex", id === entry ? "0" : "-1");
      view.setAttribute("aria-label", parts.filter(Boolean).join(", "));
      view.setAttribute("aria-current", String(this.store.shown.nodes.has(id)));
    }
  }

  private describeTask(task: Task | undefined): string {
    if (!task) return either(this.language, "Task 없음", "No Task");
    const [components, edges] = [task.components.length, edgesOf(task).length];
    return either(
      this.language,
      `${task.name}: 컴포넌트 ${components}, 연결 ${edges}`,
      `${task.name}: ${components} components, ${edges} connections`,
    );
  }

  private showMap(task: Task | undefined): void {
    const wanted = (task?.components.length ?? 0) > MINIMAP_FROM && !narrow();
    const there = this.graph.getPlugin("minimap");
    this.map.classList.toggle("is-shown", wanted);
    if (wanted && !there) this.graph.use(new MiniMap({ container: this.map, width: 168, height: 112, padding: 8 }));
  }

  fit(): void {
    window.requestAnimationFrame(() => {
      const { clientWidth, clientHeight } = this.root;
      if (clientWidth === 0) return;
      this.graph.resize(clientWidth, clientHeight);
      this.graph.zoomToFit({ padding: 32, maxScale: 1 });
    });
  }

  private shownAgain(): void {
    if (this.store.shown.tab === "task" && this.store.shown.view === "canvas") this.fit();
  }

  zoom(by: number): void {
    this.graph.zoom(by);
  }

  /** Everything in the order of the graph, left to right. */
  arrange(): void {
    const task = this.store.task;
    if (!task) return;
    this.store.change({ layout: moved(this.store.layout, task.task_id, arrange(task)) }, "arrange");
    this.fit();
  }

  /** A component of the palette at a place of the canvas, or beside the others. */
  place(entry: edit.LibraryEntry, at?: Point): void {
    const { store } = this;
    const task = store.task;
    if (!task) return;
    if (isImported(task)) {
      store.say(say(this.language, "imported_locked"), true);
      return;
    }
    const made = edit.place(store.spec, task.task_id, entry);
    const known = placed(task, store.layout);
    const all = at ? { ...known, [made.node]: { x: snap(at.x), y: snap(at.y) } } : known;
    store.placed(entry.component_id);
    store.change({ spec: made.spec, layout: moved(store.layout, task.task_id, all) }, "palette");
    store.select([made.node]);
    store.say(either(this.language, `${entry.name}을(를) 놓았습니다.`, `Placed ${entry.name}.`));
  }

  private onDragOver(event: DragEvent): void {
    if (!this.mayDraw || !event.dataTransfer?.types.includes(PALETTE_TYPE)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  }

  private onDrop(event: DragEvent): void {
    const id = event.dataTransfer?.getData(PALETTE_TYPE);
    const entry = this.store.data.palette.find((one) => paletteKey(one) === id);
    if (!entry) return;
    event.preventDefault();
    const { x, y } = this.graph.clientToLocal(event.clientX, event.clientY);
    this.place(entry, { x: x - NODE.width / 2, y: y - NODE.height / 2 });
  }

  // Keys

  private focusNode(id: string | undefined): void {
    if (!id) return;
    this.focused = id;
    this.store.select([id], "keys");
    this.label();
    const view = this.graph.findViewByCell(id);
    (view?.container as SVGElement | undefined)?.focus();
    const cell = this.graph.getCellById(id);
    if (cell && !this.graph.getGraphArea().containsRect(cell.getBBox())) this.graph.centerCell(cell);
  }

  private onKey(event: KeyboardEvent): void {
    if ((event.target as Element).closest("input, select, textarea, button")) return;
    if (this.command(event) || this.travel(event)) event.preventDefault();
  }

  /** Keys that change or copy; true: the key was one. */
  private command(event: KeyboardEvent): boolean {
    const { store } = this;
    const { spec, shown } = store;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (control && key === "a") store.select(store.task?.components.map(nodeId) ?? []);
    else if (control && key === "c") store.clipboard = this.copied();
    else if (control && key === "x") {
      store.clipboard = this.copied();
      this.remove();
    } else if (control && key === "v") this.paste(store.clipboard);
    else if (control && key === "d") this.paste(this.copied());
    else if (key === "delete" || key === "backspace") this.remove();
    else if (key === "+" || key === "=") this.zoom(0.1);
    else if (key === "-") this.zoom(-0.1);
    else if (key === "0") this.fit();
    else if (!control && key === "c" && this.focused && this.mayDraw) {
      this.connectFrom = this.focused;
      store.say(
        either(
          this.language,
          "연결할 컴포넌트로 이동한 뒤 Enter를 누르세요. Esc: 그만두기",
          "Move to the component to connect to and press Enter. Esc: stop",
        ),
      );
    } else if (key === "escape" && this.connectFrom) this.connectFrom = null;
    else if (key === "enter" && this.connectFrom) {
      const from = this.connectFrom;
      this.connectFrom = null;
      if (store.attempt(edit.connect(spec, shown.task, from, this.focused), "keys")) {
        store.say(either(this.language, "연결했습니다.", "Connected."));
      }
    } else if (key === "enter") this.openInspector();
    else return false;
    return true;
  }

  /** Arrows go along the connections, with Alt they move the node. */
  private travel(event: KeyboardEvent): boolean {
    const task = this.store.task;
    if (!task || !event.key.startsWith("Arrow")) return false;
    const at = componentOf(task, this.focused) ? this.focused : nodeId(task.components[0] as never);
    if (event.altKey) {
      this.nudge(task, event.key);
      return true;
    }
    const order = inOrder(task);
    const step = event.key === "ArrowDown" ? 1 : -1;
    const next: Record<string, string | undefined> = {
      ArrowRight: edgesOf(task).find((edge) => edge.from === at)?.to,
      ArrowLeft: predecessors(task, at)[0],
    };
    this.focusNode(event.key in next ? next[event.key] : order[order.indexOf(at) + step]);
    return true;
  }

  private nudge(task: Task, key: string): void {
    if (!this.mayDraw) return;
    const [dx, dy] = { ArrowLeft: [-GRID, 0], ArrowRight: [GRID, 0], ArrowUp: [0, -GRID], ArrowDown: [0, GRID] }[
      key
    ] ?? [0, 0];
    const known = placed(task, this.store.layout);
    const places = Object.fromEntries(
      [...this.store.shown.nodes].map((node) => [
        node,
        { x: (known[node]?.x ?? 0) + (dx ?? 0), y: (known[node]?.y ?? 0) + (dy ?? 0) },
      ]),
    );
    this.store.change({ layout: moved(this.store.layout, task.task_id, { ...known, ...places }) }, "keys", "nudge");
  }

  private copied() {
    return edit.copyNodes(this.store.spec, this.store.shown.task, this.store.shown.nodes);
  }

  private paste(piece: ReturnType<Canvas["copied"]> | null): void {
    const { store } = this;
    if (!piece || piece.components.length === 0) return;
    if (edit.isLocked(store.spec, store.shown.task)) {
      store.say(say(this.language, "imported_locked"), true);
      return;
    }
    const pasted = edit.paste(store.spec, store.shown.task, piece);
    store.change({ spec: pasted.spec }, "keys");
    store.select(pasted.nodes);
  }

  private remove(): void {
    const { store } = this;
    const { task, nodes, edge } = store.shown;
    if (edit.isLocked(store.spec, task)) store.say(say(this.language, "imported_locked"), true);
    else if (edge) store.change({ spec: edit.disconnect(store.spec, task, edge.from, edge.to) }, "keys");
    else if (nodes.size > 0) {
      store.change({ spec: edit.removeNodes(store.spec, task, nodes) }, "keys");
      store.say(
        either(
          this.language,
          `컴포넌트 ${nodes.size}개를 지웠습니다. Ctrl+Z로 되돌릴 수 있습니다.`,
          `Deleted ${nodes.size}. Ctrl+Z brings them back.`,
        ),
      );
    }
  }
}

export function narrow(): boolean {
  return window.matchMedia("(max-width: 991.98px)").matches;
}

export function paletteKey(entry: edit.LibraryEntry): string {
  return `${entry.component_id}@${entry.version}`;
}

/** Names are cut in the middle, where they differ least. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - half)}…${text.slice(-half)}`;
}

/** Puts the Builder's page together: tabs, header, keys of the whole page, and the address that says what is shown. */

import { icon } from "../../shared/icon";
import { resourcesText, summary } from "../model/amounts";
import * as imports from "../model/imports";
import { placeOf } from "../model/place";
import { edgesOf } from "../model/spec";
import { either, say } from "../model/words";
import { appTab } from "./apptab";
import { Canvas, narrow } from "./canvas";
import { button, h } from "./dom";
import { flow } from "./flow";
import { updateDialog } from "./importdialog";
import { newerChip } from "./importparts";
import { jsonView } from "./jsonview";
import { checks, inspector, outline, palette } from "./panels";
import { Saving } from "./saving";
import { type PageData, type Problem, type SaveState, type Shown, Store, type Tab, type View } from "./store";

export interface Builder {
  store: Store;
  canvas: Canvas;
  saving: Saving;
}

export function start(root: HTMLElement, data: PageData): Builder {
  const wanted = new URLSearchParams(window.location.search).get("place");
  const store = new Store(data, fromAddress());
  const part = (name: string, more: Record<string, string> = {}) => h("div", { class: `b-${name}`, ...more });
  const { language } = store;
  const parts = {
    head: h("header", { class: "b-head" }),
    app: part("app"),
    flow: part("flow-tab"),
    palette: h("aside", { class: "b-palette", "aria-label": either(language, "컴포넌트 팔레트", "Component palette") }),
    bar: part("bar b-task-bar"),
    canvas: part("canvas"),
    phone: h("p", { class: "b-phone-note" }, either(language, "편집은 목록 편집에서 하세요.", "Edit in the outline.")),
    outline: part("outline-view"),
    json: part("json-view"),
    inspector: h("aside", {
      class: "b-inspector",
      "aria-label": either(language, "속성", "Inspector"),
      tabindex: "-1",
    }),
    checks: h("details", { class: "b-checks" }),
    say: h("div", { id: "b-say", class: "b-say", role: "status", "aria-live": "polite" }),
  };
  const middle = h(
    "div",
    { class: "b-middle" },
    parts.bar,
    parts.phone,
    parts.canvas,
    parts.outline,
    parts.json,
    parts.checks,
  );
  const task = h("div", { class: "b-task" }, parts.palette, middle, parts.inspector);
  root.replaceChildren(parts.head, parts.app, task, parts.flow, parts.say);
  const arrange = () => {
    const { tab, view } = store.shown;
    root.dataset.tab = tab;
    root.dataset.view = view;
    root.dataset.mode = store.mayEdit ? "edit" : "look";
    toAddress(store.shown);
  };
  arrange(); // before the drawing, which needs to know how much room it has

  const canvas = new Canvas(store, parts.canvas, () => focusInspector(parts.inspector));
  const saving = new Saving(store);
  const goToJson = jsonView(store, parts.json);
  const goTo = (problem: Problem) => follow(store, problem, root, goToJson);
  palette(store, parts.palette, canvas);
  inspector(store, parts.inspector);
  outline(store, parts.outline);
  checks(store, parts.checks, goTo);
  appTab(store, parts.app);
  flow(store, parts.flow);

  store.listen((changed) => {
    if (["tab", "view", "task", "nodes"].some((one) => changed.has(one as never))) arrange();
    if (["spec", "save", "problems", "tab"].some((one) => changed.has(one as never)))
      header(store, saving, parts.head, parts.checks);
    if (["spec", "task", "view"].some((one) => changed.has(one as never))) taskBar(store, canvas, parts.bar);
  });
  header(store, saving, parts.head, parts.checks);
  taskBar(store, canvas, parts.bar);
  document.addEventListener("keydown", (event) => historyKeys(store, event));
  const entry = data.palette.find((one) => one.component_id === wanted);
  if (entry && store.mayEdit) canvas.place(entry);
  return { store, canvas, saving };
}

function focusInspector(panel: HTMLElement): void {
  (panel.querySelector<HTMLElement>("input:not([readonly]), select") ?? panel).focus();
}

const SAVE_WORDS: Record<SaveState, [string, string]> = {
  saved: ["저장됨", "Saved"],
  unsaved: ["저장 대기", "Unsaved"],
  saving: ["저장 중", "Saving"],
  failed: ["저장하지 못했습니다. 이 브라우저에 보관 중", "Not saved; kept in this browser"],
  conflict: ["다른 사람이 저장했습니다", "Somebody else saved"],
  signed_out: ["로그인이 필요합니다", "Sign in again"],
};

function header(store: Store, saving: Saving, root: HTMLElement, checksPanel: HTMLDetailsElement): void {
  const { language, spec, shown, data } = store;
  const focused =
    document.activeElement instanceof HTMLElement && root.contains(document.activeElement)
      ? document.activeElement.dataset.key
      : undefined;
  const facts = summary(spec, data.site);
  const most = facts.most ? resourcesText(facts.most.resources, data.site, ", ") : "—";
  const time = shown.savedAt
    ? ` ${new Date(shown.savedAt).toLocaleTimeString(language === "ko" ? "ko-KR" : "en-GB", { hour: "2-digit", minute: "2-digit", hour12: false })}`
    : "";
  const [ko, en] = SAVE_WORDS[shown.save];
  const errors = shown.problems.filter((one) => one.severity === "error").length;
  const tab = (name: Tab, label: string) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        class: "b-tab",
        "data-key": `tab-${name}`,
        "aria-selected": String(shown.tab === name),
        onclick: () => store.show({ tab: name }),
      },
      label,
    );
  const openChecks = () => {
    store.show({ tab: "task" });
    checksPanel.open = !checksPanel.open;
  };
  const tools = store.mayEdit
    ? [
        h(
          "button",
          {
            type: "button",
            class: "btn btn-icon",
            "data-key": "undo",
            "aria-label": either(language, "되돌리기", "Undo"),
            disabled: !store.canUndo,
            onclick: () => store.undo(),
          },
          icon("arrow-back-up"),
        ),
        h(
          "button",
          {
            type: "button",
            class: "btn btn-icon",
            "data-key": "redo",
            "aria-label": either(language, "다시 하기", "Redo"),
            disabled: !store.canRedo,
            onclick: () => store.redo(),
          },
          icon("arrow-forward-up"),
        ),
      ]
    : [h("span", { class: "st st-off" }, icon("eye", 14), either(language, "읽기 전용", "Read only"))];
  root.replaceChildren(
    h(
      "div",
      { class: "b-head-line" },
      h(
        "nav",
        { "aria-label": either(language, "위치", "Breadcrumb") },
        h("a", { href: "/apps" }, "App"),
        icon("chevron-right", 14),
      ),
      h("h1", {}, h("a", { href: data.urls.app }, spec.name)),
      h(
        "span",
        { class: "st st-off" },
        icon("pencil", 14),
        either(language, `초안 ${spec.version}`, `Draft ${spec.version}`),
      ),
      store.mayEdit &&
        h(
          "span",
          { class: `b-save is-${shown.save}` },
          icon(shown.save === "saved" ? "cloud-check" : shown.save === "saving" ? "refresh" : "alert-triangle", 14),
          either(language, ko, en),
          shown.save === "saved" ? time : "",
        ),
      h(
        "div",
        { class: "b-tools" },
        tools,
        h(
          "button",
          { type: "button", class: "btn", "data-key": "checks", onclick: openChecks },
          icon("clipboard-check"),
          either(language, `점검 (${shown.problems.length})`, `Checks (${shown.problems.length})`),
        ),
        h(
          "a",
          { class: "btn", href: data.urls.trainer },
          icon("send"),
          either(language, "학습 요청", "Request training"),
        ),
        store.mayEdit &&
          button(either(language, "준비 완료로 발행", "Publish as ready"), () => void saving.publish(), {
            class: "btn btn-primary",
            "data-key": "publish",
            "aria-disabled": String(errors > 0),
          }),
        store.mayEdit &&
          errors > 0 &&
          h(
            "span",
            { class: "b-meta" },
            either(language, `오류 ${errors}건을 먼저 고치세요`, `Correct ${errors} errors first`),
          ),
      ),
    ),
    h(
      "div",
      { class: "b-head-line b-tabs" },
      h(
        "div",
        { role: "tablist" },
        tab("app", either(language, "App 관리", "App")),
        tab("task", either(language, "Task 편집", "Task editor")),
        tab("flow", either(language, "워크플로우 시각화", "Workflow preview")),
      ),
      h(
        "p",
        { class: "b-summary" },
        say(language, "summary", { tasks: facts.tasks, components: facts.components, most }),
        facts.needsApproval &&
          h("span", { class: "st st-await" }, icon("shield-exclamation", 14), say(language, "needs_approval")),
      ),
    ),
  );
  if (focused) root.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
}

function taskBar(store: Store, canvas: Canvas, root: HTMLElement): void {
  const { language, spec, task, shown } = store;
  const choice = h(
    "select",
    {
      class: "form-select",
      "aria-label": "Task",
      onchange: () => store.show({ task: choice.value, nodes: new Set(), edge: null }),
    },
    spec.tasks.map((one, index) =>
      h("option", { value: one.task_id, selected: one.task_id === shown.task }, `${index + 1} ${one.name}`),
    ),
  );
  const views: [View, string][] = [
    ["canvas", either(language, "캔버스", "Canvas")],
    ["outline", either(language, "목록 편집", "Outline")],
    ["json", "JSON"],
  ];
  root.replaceChildren(
    choice,
    h(
      "span",
      { class: "b-meta" },
      task
        ? either(
            language,
            `컴포넌트 ${task.components.length} · 연결 ${edgesOf(task).length}`,
            `${task.components.length} components · ${edgesOf(task).length} connections`,
          )
        : "",
    ),
    task?.imported_from ? importedBar(store, task.task_id, task.imported_from) : "",
    h("span", { class: "b-spring" }),
    h(
      "button",
      { type: "button", class: "btn b-arrange", onclick: () => canvas.arrange(), disabled: !store.mayEdit },
      icon("binary-tree"),
      either(language, "자동 정렬", "Auto layout"),
    ),
    h(
      "div",
      { class: "btn-group b-segment", role: "group", "aria-label": either(language, "보기", "View") },
      views.map(([view, label]) =>
        button(label, () => store.show({ view }), {
          class: `btn${shown.view === view ? " active" : ""}`,
          "aria-pressed": String(shown.view === view),
        }),
      ),
    ),
    h(
      "div",
      { class: "b-zoom" },
      h(
        "button",
        {
          type: "button",
          class: "btn btn-icon",
          "aria-label": either(language, "축소", "Zoom out"),
          onclick: () => canvas.zoom(-0.1),
        },
        icon("minus"),
      ),
      h(
        "button",
        {
          type: "button",
          class: "btn btn-icon",
          "aria-label": either(language, "확대", "Zoom in"),
          onclick: () => canvas.zoom(0.1),
        },
        icon("plus"),
      ),
      h(
        "button",
        {
          type: "button",
          class: "btn btn-icon",
          "aria-label": either(language, "맞추기", "Fit"),
          onclick: () => canvas.fit(),
        },
        icon("maximize"),
      ),
    ),
  );
}

/** What can be done with a Task that is locked because it comes from another App. */
function importedBar(store: Store, taskId: string, ref: string): HTMLElement {
  const { language } = store;
  const isVisible = store.data.sources[ref]?.length !== 0;
  const detach = () => {
    store.change({ spec: imports.detach(store.spec, taskId) }, "import");
    store.say(
      either(
        language,
        "분리했습니다. 원본의 새 버전은 더 이상 오지 않습니다. 되돌리기: Ctrl+Z",
        "Detached: newer versions of the source do not reach it any more. Undo: Ctrl+Z",
      ),
    );
  };
  return h(
    "span",
    { class: "b-bar b-imported" },
    h("span", { class: "tag" }, icon("lock", 14), either(language, "가져옴", "Imported")),
    newerChip(store, ref, () => updateDialog(store, ref)),
    isVisible &&
      h(
        "a",
        { class: "btn btn-link b-small", href: `/apps/${encodeURIComponent(ref)}` },
        either(language, "원본 열기", "Open source"),
      ),
    store.mayEdit &&
      button(either(language, "분리하여 편집", "Detach to edit"), detach, { class: "btn btn-link b-small" }),
  );
}

function historyKeys(store: Store, event: KeyboardEvent): void {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
  if ((event.target as Element).matches(".b-json")) return;
  event.preventDefault();
  if (event.shiftKey) store.redo();
  else store.undo();
}

function follow(store: Store, problem: Problem, root: HTMLElement, goToJson: (problem: Problem) => void): void {
  if (store.shown.tab === "task" && store.shown.view === "json") {
    goToJson(problem);
    return;
  }
  const place = placeOf(store.spec, problem.path);
  store.show({
    tab: place.tab,
    ...(place.task ? { task: place.task } : {}),
    ...(place.node ? { nodes: new Set([place.node]) } : {}),
  });
  const target = place.field ? root.querySelector<HTMLElement>(`[data-field="${CSS.escape(place.field)}"]`) : null;
  (target ?? root.querySelector<HTMLElement>(place.tab === "task" ? ".b-inspector" : ".b-app"))?.focus();
}

function fromAddress(): Partial<Shown> {
  const query = new URLSearchParams(window.location.search);
  const [tab, view, task, node] = ["tab", "view", "task", "node"].map((name) => query.get(name));
  const views: View[] = ["canvas", "outline", "json"];
  const tabs: Tab[] = ["app", "task", "flow"];
  return {
    view: views.find((one) => one === view) ?? (narrow() ? "outline" : "canvas"),
    ...(tabs.includes(tab as Tab) ? { tab: tab as Tab } : {}),
    ...(task ? { task } : {}),
    ...(node ? { nodes: new Set([node]) } : {}),
  };
}

function toAddress(shown: Shown): void {
  const query = new URLSearchParams({ tab: shown.tab, view: shown.view, ...(shown.task ? { task: shown.task } : {}) });
  const [node] = shown.nodes;
  if (node && shown.nodes.size === 1) query.set("node", node);
  window.history.replaceState(null, "", `?${query}`);
}

/** The workflow tab: one drawing a Task, the same as a table, SVG files, and the plan in words. */

import { approvalReasons, resourcesText } from "../model/amounts";
import { inOrder, predecessors, stages } from "../model/graph";
import { componentOf, type Task } from "../model/spec";
import { either, say } from "../model/words";
import { button, h } from "./dom";
import { type Colours, previewSvg } from "./preview";
import { request } from "./saving";
import type { Store } from "./store";

const LIGHT: Colours = {
  ground: "#ffffff",
  node: "#ffffff",
  line: "#cbc7bd",
  edge: "#52565f",
  ink: "#1b1e27",
  meta: "#52565f",
  await: "#7d4b00",
};

/** Colours as this page computes them now: attributes of an SVG cannot hold light-dark(). */
function pageColours(): Colours {
  const probe = h("span", { hidden: true });
  document.body.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--one-${name})`;
    return window.getComputedStyle(probe).color;
  };
  const colours = {
    ground: read("surface"),
    node: read("raised"),
    line: read("line-strong"),
    edge: read("field-line"),
    ink: read("ink"),
    meta: read("ink-2"),
    await: read("await"),
  };
  probe.remove();
  return colours;
}

export function flow(store: Store, root: HTMLElement): void {
  const { language } = store;
  const drawings = h("div", {});
  const plan = h("div", { class: "b-plan", "aria-live": "polite" });
  const smallest = h("input", { type: "checkbox", class: "form-check-input", onchange: () => void showPlan() });
  const showPlan = async () => {
    plan.textContent = "…";
    const answer = await request(store.data, "POST", store.data.urls.plan, {
      spec: store.spec,
      smallest: smallest.checked,
    });
    const words = answer.ok
      ? (answer.body.words as string[])
      : [answer.message, ...answer.problems.map((one) => `${one.path}: ${one.message}`)];
    plan.replaceChildren(
      h(
        "ul",
        {},
        words.map((line) => h("li", {}, line)),
      ),
    );
  };
  root.append(
    h(
      "div",
      { class: "b-bar" },
      button(either(language, "실행 계획 표시", "Show plan"), () => void showPlan()),
      h(
        "label",
        { class: "form-check" },
        smallest,
        h("span", { class: "form-check-label" }, either(language, "최소 자원 배치", "Smallest allocation")),
      ),
    ),
    plan,
    drawings,
  );
  const draw = () => {
    if (store.shown.tab !== "flow") return;
    const colours = pageColours();
    drawings.replaceChildren(...store.spec.tasks.map((task, index) => section(store, task, index, colours)));
    if (store.spec.tasks.length === 0)
      drawings.append(h("p", { class: "b-empty" }, either(language, "Task가 없습니다.", "No Task.")));
  };
  store.listen((changed) => {
    if (changed.has("spec") || changed.has("tab")) draw();
  });
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  draw();
}

function section(store: Store, task: Task, index: number, colours: Colours): HTMLElement {
  const { language, data } = store;
  const svg = new DOMParser().parseFromString(
    previewSvg(task, data.site, language, colours),
    "image/svg+xml",
  ).documentElement;
  const save = () => {
    const file = new Blob([previewSvg(task, data.site, language, LIGHT)], { type: "image/svg+xml" });
    const link = h("a", { href: URL.createObjectURL(file), download: `${data.app_id}-${task.task_id}.svg` });
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const stage = stages(task);
  const rows = inOrder(task).map((node) => {
    const component = componentOf(task, node);
    if (!component) return null;
    const before = predecessors(task, node).map((one) => componentOf(task, one)?.name ?? one);
    const over = approvalReasons(component, data.site).length > 0;
    return h(
      "tr",
      {},
      h("td", {}, String(stage.get(node) ?? "—")),
      h("th", { scope: "row" }, component.name),
      h("td", {}, before.join(", ") || "—"),
      h("td", {}, resourcesText(component.resources, data.site), over ? ` · ${say(language, "needs_approval")}` : ""),
    );
  });
  const heads = [
    either(language, "실행 순서", "Order"),
    either(language, "컴포넌트", "Component"),
    either(language, "선행", "After"),
    either(language, "요청 자원", "Requested resources"),
  ];
  return h(
    "section",
    { class: "b-flow", "aria-label": task.name },
    h(
      "header",
      { class: "b-bar" },
      h("h2", {}, `Task ${index + 1} · ${task.name}`),
      h("span", { class: "mono" }, task.task_id),
      button(either(language, "SVG 저장", "Save SVG"), save),
    ),
    h(
      "div",
      { class: "b-scroll", tabindex: 0, role: "group", "aria-label": task.name },
      document.importNode(svg, true) as unknown as HTMLElement,
    ),
    h(
      "div",
      { class: "b-scroll" },
      h(
        "table",
        { class: "table" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}

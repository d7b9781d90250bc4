/** The panels around the drawing: palette, inspector, checks, outline. */

import { icon } from "../../shared/icon";
import { approvalReasons, resourcesText } from "../model/amounts";
import { inOrder, stages } from "../model/graph";
import { placeOf } from "../model/place";
import { componentOf, type Task } from "../model/spec";
import { either, say } from "../model/words";
import { type Canvas, PALETTE_TYPE, paletteKey } from "./canvas";
import { h } from "./dom";
import { componentForm } from "./form";
import { imageBadge } from "./imagecheck";
import { addComponent } from "./outlineadd";
import type { Problem, Store } from "./store";

export function palette(store: Store, root: HTMLElement, canvas: Canvas): void {
  const { language, data } = store;
  const offered = data.palette.filter((entry) => !entry.deprecated);
  const list = h("ul", { class: "b-palette-list" });
  const search = h("input", {
    class: "form-control",
    type: "search",
    placeholder: either(language, "컴포넌트 검색", "Search components"),
    "aria-label": either(language, "컴포넌트 검색", "Search components"),
    oninput: () => draw(),
  });
  const item = (entry: (typeof offered)[number]) => {
    const place = () => canvas.place(entry);
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "b-entry",
          draggable: "true",
          "aria-describedby": "b-palette-help",
          ondragstart: (event: DragEvent) => event.dataTransfer?.setData(PALETTE_TYPE, paletteKey(entry)),
          ondblclick: place,
          onkeydown: (event: KeyboardEvent) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            place();
          },
        },
        h("span", { class: "b-entry-name" }, entry.name),
        h("span", { class: "b-entry-version" }, entry.version ?? ""),
        h("span", { class: "b-entry-asked" }, resourcesText(entry.resources, data.site)),
        entry.image_state && entry.image_state !== "verified" && imageBadge(language, entry.image_state),
        entry.tags.length > 0 &&
          h(
            "span",
            { class: "b-entry-tags" },
            entry.tags.map((tag) => h("span", { class: "tag" }, tag)),
          ),
      ),
    );
  };
  const heading = (text: string) => h("li", { class: "b-palette-head" }, text);
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = offered.filter((entry) =>
      words.every((word) => `${entry.name} ${entry.component_id} ${entry.tags.join(" ")}`.toLowerCase().includes(word)),
    );
    const recent = words.length > 0 ? [] : store.recents();
    const used = recent.flatMap((id) => offered.filter((entry) => entry.component_id === id));
    list.replaceChildren(
      ...(used.length > 0 ? [heading(either(language, "최근 사용", "Recent")), ...used.map(item)] : []),
      ...(used.length > 0 ? [heading(either(language, "모두", "All"))] : []),
      ...found.map(item),
    );
    if (found.length === 0)
      list.append(
        h(
          "li",
          { class: "form-hint" },
          offered.length > 0
            ? either(language, "조건에 맞는 컴포넌트가 없습니다.", "No component matches.")
            : either(language, "등록된 컴포넌트가 없습니다.", "No components registered."),
        ),
      );
  };
  root.append(
    search,
    h(
      "p",
      { class: "form-hint", id: "b-palette-help" },
      either(language, "끌어 놓거나 두 번 누르거나 Enter", "Drag, double-click or Enter"),
    ),
    list,
    h(
      "a",
      { class: "b-library", href: data.urls.library },
      icon("packages"),
      either(language, "컴포넌트 라이브러리", "Component library"),
    ),
  );
  store.listen((changed, from) => {
    if (changed.has("spec") && (from === "palette" || from === "outline-add")) draw();
  });
  draw();
}

export function inspector(store: Store, root: HTMLElement): void {
  let shownFor = "";
  let refresh = () => {};
  const draw = () => {
    const node = store.selected;
    const component = componentOf(store.task, node ?? "");
    shownFor = `${store.shown.task}/${node}`;
    if (!node || !component || !store.task) {
      const { language } = store;
      const count = store.shown.nodes.size;
      const words =
        count > 1
          ? either(language, `컴포넌트 ${count}개를 골랐습니다.`, `${count} components selected.`)
          : either(language, "컴포넌트를 고르면 여기서 고칩니다.", "Select a component to edit it here.");
      root.replaceChildren(h("p", { class: "b-empty" }, words));
      refresh = () => {};
      return;
    }
    const form = componentForm(store, store.task.task_id, node, "inspector");
    refresh = form.refresh;
    const stage = stages(store.task).get(node);
    root.replaceChildren(
      h(
        "header",
        { class: "b-inspector-head" },
        h("h2", {}, component.name),
        h("span", { class: "mono" }, node),
        h(
          "p",
          { class: "b-meta" },
          stage === undefined ? "" : either(store.language, `${stage}번째 순서`, `Stage ${stage}`),
          component.component_version
            ? either(
                store.language,
                ` · 라이브러리 버전 ${component.component_version}`,
                ` · library version ${component.component_version}`,
              )
            : "",
        ),
      ),
      form.element,
    );
  };
  store.listen((changed, from) => {
    const other = shownFor !== `${store.shown.task}/${store.selected}`;
    if (other || (changed.has("spec") && from !== "inspector")) draw();
    else if (changed.has("spec")) refresh();
  });
  draw();
}

export function outline(store: Store, root: HTMLElement): void {
  const open = new Set<string>();
  let refreshers: (() => void)[] = [];
  const draw = () => {
    if (store.shown.tab !== "task" || store.shown.view !== "outline") return;
    const task = store.task;
    refreshers = [];
    const add = addComponent(store, (node) => {
      root.querySelector<HTMLElement>(`[data-node="${CSS.escape(node)}"] summary`)?.focus();
    });
    root.replaceChildren(
      ...(add ? [add] : []),
      task
        ? h(
            "ol",
            { class: "b-outline" },
            inOrder(task).map((node) => entry(task, node)),
          )
        : h("p", { class: "b-empty" }, either(store.language, "Task가 없습니다.", "No Task.")),
    );
  };
  const entry = (task: Task, node: string) => {
    const component = componentOf(task, node);
    if (!component) return null;
    const key = `${task.task_id}/${node}`;
    const over = approvalReasons(component, store.data.site).length > 0;
    const body = h("div", {});
    const fill = () => {
      const form = componentForm(store, task.task_id, node, "outline");
      refreshers.push(form.refresh);
      body.replaceChildren(form.element);
    };
    if (open.has(key)) fill();
    return h(
      "li",
      { "data-node": node },
      h(
        "details",
        {
          open: open.has(key),
          ontoggle: (event: Event) => {
            const isOpen = (event.target as HTMLDetailsElement).open;
            if (isOpen && !open.has(key)) fill();
            if (isOpen) open.add(key);
            else open.delete(key);
            if (isOpen) store.select([node], "outline");
          },
        },
        h(
          "summary",
          {},
          h("span", { class: `b-order${over ? " is-over" : ""}` }, String(stages(task).get(node) ?? "!")),
          h("strong", {}, component.name),
          h("span", { class: "b-meta" }, resourcesText(component.resources, store.data.site)),
          over &&
            h("span", { class: "st st-await" }, icon("shield-exclamation", 14), say(store.language, "needs_approval")),
        ),
        body,
      ),
    );
  };
  store.listen((changed, from) => {
    if (changed.has("tab") || changed.has("view") || changed.has("task") || (changed.has("spec") && from !== "outline"))
      draw();
    else if (changed.has("spec")) for (const refresh of refreshers) refresh();
  });
  draw();
}

export function checks(store: Store, root: HTMLElement, goTo: (problem: Problem) => void): void {
  const draw = () => {
    const { problems } = store.shown;
    const errors = problems.filter((one) => one.severity === "error").length;
    const { language } = store;
    root.replaceChildren(
      h(
        "summary",
        {},
        h("strong", {}, either(language, "점검", "Checks")),
        h(
          "span",
          { class: "b-meta" },
          problems.length === 0
            ? either(language, "문제가 없습니다.", "No problems.")
            : either(
                language,
                `오류 ${errors} · 경고 ${problems.length - errors}`,
                `${errors} errors · ${problems.length - errors} warnings`,
              ),
        ),
      ),
      h(
        "ul",
        { class: "b-problems" },
        problems.map((one) =>
          h(
            "li",
            { class: one.severity === "error" ? "is-bad" : "" },
            icon(one.severity === "error" ? "alert-circle" : "alert-triangle"),
            h(
              "span",
              {},
              h("strong", {}, whereText(store, one)),
              " ",
              one.message,
              " ",
              h("span", { class: "b-meta" }, one.cure),
              " ",
              h("code", {}, one.path),
            ),
            h(
              "button",
              { type: "button", class: "btn btn-link b-small", onclick: () => goTo(one) },
              either(language, "이동", "Go to"),
            ),
          ),
        ),
      ),
    );
  };
  store.listen((changed) => {
    if (changed.has("problems")) draw();
  });
  draw();
}

function whereText(store: Store, problem: Problem): string {
  const place = placeOf(store.spec, problem.path);
  const task = store.spec.tasks.find((one) => one.task_id === place.task);
  return componentOf(task, place.node ?? "")?.name ?? task?.name ?? store.spec.name;
}

/** The form of one component: the inspector's, and each entry's of the outline. */

import { icon } from "../../shared/icon";
import { approvalReasons, memoryMib, tooLarge } from "../model/amounts";
import * as edit from "../model/edit";
import { predecessors, stages } from "../model/graph";
import { type Component, componentOf, edgesOf, imageText, type Json, nodeId, type Resources } from "../model/spec";
import { either, say } from "../model/words";
import { button, field, freshId, h } from "./dom";
import { imageCheck } from "./imagecheck";
import { libraryBlock } from "./libraryblock";
import { effect } from "./outlineadd";
import type { Store } from "./store";

/** Draws the form; `refresh` updates its notes while somebody types in it. */
export function componentForm(
  store: Store,
  taskId: string,
  node: string,
  from: string,
): { element: HTMLElement; refresh: () => void } {
  const notes = h("div", { class: "b-notes", "aria-live": "polite" });
  const now = () =>
    componentOf(
      store.spec.tasks.find((task) => task.task_id === taskId),
      node,
    );
  const image = imageCheck(store);
  const refresh = () => {
    const component = now();
    if (!component) return;
    notes.replaceChildren(...noteLines(store, component));
    image.follow(component);
  };
  const component = now();
  const element = h("div", { class: "b-form" });
  if (!component) return { element, refresh };
  refresh();
  const locked = !store.mayEdit || edit.isLocked(store.spec, taskId);
  element.append(
    notes,
    ...libraryBlock(store, taskId, node, component, locked),
    ...identity(store, taskId, node, component, locked, from),
    image.element,
    ...resources(store, taskId, node, component, locked, from),
    params(store, taskId, node, component, locked, from),
    order(store, taskId, node, locked, from),
    ...running(store, taskId, node, component, locked, from),
  );
  return { element, refresh };
}

function noteLines(store: Store, component: Component): HTMLElement[] {
  const { language, data } = store;
  const large = tooLarge(component, data.site);
  const reasons = approvalReasons(component, data.site);
  const lines = [
    ...(large ? [h("p", { class: "b-note is-bad" }, icon("circle-x"), say(language, large.word, large.values))] : []),
    ...reasons.map((one) =>
      h("p", { class: "b-note is-await" }, icon("shield-exclamation"), say(language, one.word, one.values)),
    ),
  ];
  return lines.length > 0 ? lines : [h("p", { class: "b-note" }, icon("check"), say(language, "under_threshold"))];
}

type Act = (value: string) => void;

function input(value: string, act: Act, more: Record<string, string | number | boolean> = {}): HTMLInputElement {
  return h("input", {
    class: "form-control",
    value,
    oninput: (event: InputEvent) => act((event.target as HTMLInputElement).value),
    ...more,
  });
}

function identity(
  store: Store,
  taskId: string,
  node: string,
  component: Component,
  locked: boolean,
  from: string,
): HTMLElement[] {
  const { language } = store;
  const change = (key: string, act: (one: Component) => Component) =>
    store.change({ spec: edit.changeComponent(store.spec, taskId, node, act) }, from, `${node}.${key}`);
  const fromLibrary = component.component_version != null;
  const image = (part: "registry" | "tag") => (value: string) =>
    change(`image.${part}`, (one) => ({
      ...one,
      image: edit.withField({ ...one.image, [part]: value }, "digest", undefined),
    }));
  const imageLocked = locked || fromLibrary;
  const detach = button(
    either(language, "라이브러리에서 분리", "Detach from library"),
    () =>
      store.change(
        {
          spec: edit.changeComponent(store.spec, taskId, node, (one) =>
            edit.withField(one, "component_version", undefined),
          ),
        },
        "detach",
      ),
    { class: "btn btn-link b-small" },
  );
  return [
    field(
      either(language, "이름", "Name"),
      input(component.name, (value) => change("name", (one) => ({ ...one, name: value })), {
        readonly: locked,
        maxlength: 128,
        "data-field": "name",
      }),
    ),
    h(
      "div",
      { class: "b-row b-image" },
      field(
        either(language, "이미지", "Image"),
        input(component.image.registry, image("registry"), {
          readonly: imageLocked,
          class: "form-control mono",
          "data-field": "image.registry",
        }),
      ),
      field(
        either(language, "태그", "Tag"),
        input(component.image.tag, image("tag"), {
          readonly: imageLocked,
          class: "form-control mono",
          "data-field": "image.tag",
        }),
      ),
    ),
    h(
      "div",
      { class: "b-meta" },
      h("span", { class: "mono" }, imageText(component.image)),
      fromLibrary && !locked && detach,
    ),
  ];
}

function resources(
  store: Store,
  taskId: string,
  node: string,
  component: Component,
  locked: boolean,
  from: string,
): HTMLElement[] {
  const { language } = store;
  const { site } = store.data;
  const asked = component.resources;
  const set = (name: keyof Resources, value: unknown) =>
    store.change({ spec: edit.setResource(store.spec, taskId, node, name, value) }, from, `${node}.${name}`);
  const number = (name: keyof Resources) => (value: string) =>
    set(name, value === "" ? undefined : Number.isInteger(Number(value)) ? Number(value) : value);
  const shared = asked.gpu_shards != null;
  const mode = h(
    "div",
    { class: "btn-group b-segment", role: "group", "aria-label": either(language, "GPU 방식", "GPU mode") },
    [false, true].map((share) =>
      button(
        share ? either(language, "분할", "Share") : either(language, "전용", "Whole"),
        () => setMode(store, taskId, node, share),
        {
          class: `btn${shared === share ? " active" : ""}`,
          "aria-pressed": String(shared === share),
          disabled: locked,
        },
      ),
    ),
  );
  const types = Object.entries(site.gpus);
  const known = asked.gpu_type == null || types.some(([type]) => type === asked.gpu_type);
  const type = h(
    "select",
    {
      class: "form-select",
      disabled: locked,
      "data-field": "resources.gpu_type",
      onchange: (event: Event) => set("gpu_type", (event.target as HTMLSelectElement).value || undefined),
    },
    h("option", { value: "", selected: asked.gpu_type == null }, either(language, "없음", "None")),
    types.map(([name, { total, idle, fake }]) =>
      h(
        "option",
        { value: name, selected: name === asked.gpu_type },
        `${name} · ${either(language, `유휴 ${idle}/${total}`, `${idle} of ${total} idle`)}${fake ? either(language, " · 모의 GPU", " · Fake GPU") : ""}`,
      ),
    ),
    !known && h("option", { value: asked.gpu_type ?? "", selected: true }, asked.gpu_type ?? ""),
  );
  const shards = site.gpus[asked.gpu_type ?? ""]?.shards;
  const amount = shared
    ? field(
        either(language, "조각 수", "Shares"),
        input(String(asked.gpu_shards ?? ""), number("gpu_shards"), {
          type: "number",
          min: 1,
          max: shards ?? 1024,
          readonly: locked,
          "data-field": "resources.gpu_shards",
        }),
        either(
          language,
          `1 GPU의 ${asked.gpu_shards}/${shards ?? "?"} · 개발·추론 용도 · ${site.shares_limited ? "협조적 제한" : "제한 없음"}`,
          `${asked.gpu_shards}/${shards ?? "?"} of one GPU · for development and inference · ${site.shares_limited ? "cooperative limit" : "no limit"}`,
        ),
      )
    : field(
        either(language, "GPU 수", "GPUs"),
        input(String(asked.gpu_count ?? 0), number("gpu_count"), {
          type: "number",
          min: 0,
          max: 1024,
          readonly: locked,
          "data-field": "resources.gpu_count",
        }),
      );
  const memory = input(
    asked.memory,
    (value) => {
      memory.classList.toggle("is-invalid", memoryMib(value) === null);
      set("memory", value);
    },
    { readonly: locked, placeholder: "64GB", "data-field": "resources.memory" },
  );
  memory.classList.toggle("is-invalid", memoryMib(asked.memory) === null);
  return [
    mode,
    h("div", { class: "b-row" }, field(either(language, "GPU 유형", "GPU type"), type), amount),
    h(
      "div",
      { class: "b-row" },
      field(either(language, "메모리", "Memory"), memory),
      field(
        "CPU",
        input(String(asked.cpus ?? ""), number("cpus"), {
          type: "number",
          min: 1,
          readonly: locked,
          placeholder: either(language, "자동", "Automatic"),
          "data-field": "resources.cpus",
        }),
      ),
    ),
    h(
      "div",
      { class: "b-row" },
      field(
        either(language, "노드 수", "Nodes"),
        input(String(asked.nodes ?? 1), number("nodes"), {
          type: "number",
          min: 1,
          readonly: locked,
          "data-field": "resources.nodes",
        }),
      ),
      field(
        either(language, "최대 실행 시간", "Time limit"),
        input(asked.time_limit ?? "", (value) => set("time_limit", value || undefined), {
          readonly: locked,
          placeholder: "2h",
          "data-field": "resources.time_limit",
        }),
      ),
    ),
  ];
}

/** Whole GPUs and shares exclude each other: the other's field goes. */
function setMode(store: Store, taskId: string, node: string, share: boolean): void {
  const change = (one: Component): Component => {
    const without = edit.withField(one.resources, share ? "gpu_count" : "gpu_shards", undefined);
    return { ...one, resources: edit.withField(without, share ? "gpu_shards" : "gpu_count", 1) };
  };
  store.change({ spec: edit.changeComponent(store.spec, taskId, node, change) }, "mode");
}

/** A value as it is typed: JSON where it is JSON, text otherwise. */
export function typedValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The other way: text that would read as JSON keeps its quotes. */
export function valueText(value: Json): string {
  return typeof value === "string" && typedValue(value) === value ? value : JSON.stringify(value);
}

function params(
  store: Store,
  taskId: string,
  node: string,
  component: Component,
  locked: boolean,
  from: string,
): HTMLElement {
  const { language } = store;
  const set = (entries: [string, Json][], key: string) =>
    store.change(
      {
        spec: edit.changeComponent(store.spec, taskId, node, (one) =>
          edit.withField(one, "params", Object.fromEntries(entries)),
        ),
      },
      key ? from : "rows",
      key,
    );
  const entries = () =>
    Object.entries(
      componentOf(
        store.spec.tasks.find((task) => task.task_id === taskId),
        node,
      )?.params ?? {},
    );
  const rows = Object.entries(component.params ?? {}).map(([name, value], index) =>
    h(
      "div",
      { class: "b-pair", role: "group", "aria-label": name },
      h("input", {
        class: "form-control mono",
        value: name,
        readonly: locked,
        "aria-label": either(language, "이름", "Name"),
        onchange: (event: Event) => set(entries().with(index, [(event.target as HTMLInputElement).value, value]), ""),
      }),
      input(
        valueText(value),
        (text) =>
          set(entries().with(index, [entries()[index]?.[0] ?? name, typedValue(text)]), `${node}.params.${index}`),
        {
          class: "form-control mono",
          readonly: locked,
          "aria-label": either(language, "값", "Value"),
          "data-field": `params.${name}`,
        },
      ),
      !locked &&
        h(
          "button",
          {
            type: "button",
            class: "btn btn-icon",
            "aria-label": either(language, `${name} 삭제`, `Delete ${name}`),
            onclick: () => set(entries().toSpliced(index, 1), ""),
          },
          icon("trash"),
        ),
    ),
  );
  const add = () => {
    const taken = new Set(entries().map(([name]) => name));
    set([...entries(), [edit.freeId("param", taken), ""]], "");
  };
  return h(
    "fieldset",
    { class: "b-fieldset" },
    h("legend", { class: "form-label" }, either(language, "파라미터", "Parameters")),
    rows,
    !locked && button(either(language, "파라미터 추가", "Add parameter"), add, { class: "btn btn-link b-small" }),
  );
}

function order(store: Store, taskId: string, node: string, locked: boolean, from: string): HTMLElement {
  const { language } = store;
  const task = store.spec.tasks.find((one) => one.task_id === taskId);
  if (!task) return h("div");
  const before = predecessors(task, node);
  const boxes = task.components
    .filter((one) => nodeId(one) !== node)
    .map((one) => {
      const id = nodeId(one);
      const box = h("input", {
        type: "checkbox",
        class: "form-check-input",
        checked: before.includes(id),
        disabled: locked,
        onchange: () => {
          const now = predecessors(store.spec.tasks.find((other) => other.task_id === taskId) ?? task, node);
          const wanted = box.checked ? [...now, id] : now.filter((other) => other !== id);
          const done = store.attempt(edit.setPredecessors(store.spec, taskId, node, wanted), from);
          if (done) store.say(effect(store, taskId, node));
          else box.checked = !box.checked;
        },
      });
      return h("label", { class: "form-check" }, box, h("span", { class: "form-check-label" }, one.name));
    });
  const stage = stages(task).get(node);
  const when = edgesOf(task)
    .filter((edge) => edge.to === node)
    .map((edge) =>
      whenChoice(
        store,
        taskId,
        edge.from,
        node,
        edge.when ?? "finished",
        componentOf(task, edge.from)?.name ?? edge.from,
        locked,
      ),
    );
  return h(
    "fieldset",
    { class: "b-fieldset", "data-field": "predecessors", tabindex: -1 },
    h(
      "legend",
      { class: "form-label" },
      either(language, "실행 순서 (선행 컴포넌트)", "Execution order (predecessors)"),
    ),
    h(
      "p",
      { class: "form-hint" },
      stage === undefined
        ? either(language, "순환 안에 있습니다", "In a cycle")
        : either(language, `${stage}번째 순서`, `Stage ${stage}`),
    ),
    boxes.length > 0
      ? boxes
      : h("p", { class: "form-hint" }, either(language, "다른 컴포넌트가 없습니다.", "No other component.")),
    when,
  );
}

function whenChoice(
  store: Store,
  taskId: string,
  source: string,
  node: string,
  when: string,
  name: string,
  locked: boolean,
): HTMLElement {
  const { language } = store;
  const select = h(
    "select",
    {
      class: "form-select",
      disabled: locked,
      onchange: () =>
        store.change(
          { spec: edit.setWhen(store.spec, taskId, source, node, select.value as "finished" | "started") },
          "when",
        ),
    },
    h("option", { value: "finished", selected: when === "finished" }, either(language, "끝난 뒤에", "After its end")),
    h(
      "option",
      { value: "started", selected: when === "started" },
      either(language, "준비되면 함께", "Together, once it is ready"),
    ),
  );
  return field(name, select);
}

function running(
  store: Store,
  taskId: string,
  node: string,
  component: Component,
  locked: boolean,
  from: string,
): HTMLElement[] {
  const { language } = store;
  const set = (name: string, value: unknown) =>
    store.change(
      { spec: edit.changeComponent(store.spec, taskId, node, (one) => edit.withField(one, name, value)) },
      from,
      `${node}.${name}`,
    );
  const words = (name: "command" | "args", label: string) => {
    const area = h(
      "textarea",
      {
        class: "form-control mono",
        rows: 2,
        readonly: locked,
        placeholder: either(language, "이미지 기본값", "The image's own"),
        "data-field": name,
        oninput: () => set(name, area.value === "" ? undefined : area.value.split("\n")),
      },
      (component[name] ?? []).join("\n"),
    );
    return field(label, area, either(language, "한 줄에 하나", "One a line"));
  };
  const service = h("input", {
    type: "checkbox",
    class: "form-check-input",
    checked: component.service === true,
    disabled: locked,
    onchange: () => set("service", service.checked || undefined),
  });
  return [
    h(
      "div",
      { class: "b-row" },
      words("command", either(language, "명령", "Command")),
      words("args", either(language, "인수", "Arguments")),
    ),
    h(
      "div",
      { class: "b-row" },
      field(
        either(language, "재시도", "Retries"),
        input(String(component.retries ?? 0), (value) => set("retries", value === "" ? undefined : Number(value)), {
          type: "number",
          min: 0,
          max: 10,
          readonly: locked,
          "data-field": "retries",
        }),
      ),
      h(
        "label",
        { class: "form-check b-check", id: freshId("service") },
        service,
        h("span", { class: "form-check-label" }, either(language, "서비스 (함께 시작)", "Service (starts together)")),
      ),
    ),
  ];
}

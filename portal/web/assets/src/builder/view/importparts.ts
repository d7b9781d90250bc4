/** Pieces about imports: the choice of Tasks and values, what a version changes, and what a Task says of its source. */

import { icon } from "../../shared/icon";
import { type Conflict, importOf, newerVersion } from "../model/imports";
import { componentOf, type Json, nodeId, type Task } from "../model/spec";
import { either, type Language } from "../model/words";
import { button, type Child, freshId, h } from "./dom";
import type { Store } from "./store";

/** A part of a spec that two versions have differently, as the server says it. */
export interface Group {
  where: string;
  kind: "app" | "task" | "component";
  change: "added" | "removed" | "changed";
  changes: { path: string; old: Json; new: Json }[];
}

export function taskChoice(tasks: readonly Task[], chosen: Set<string>, changed: () => void): HTMLElement {
  const rows = tasks.map((task) => {
    const box = h("input", {
      type: "checkbox",
      class: "form-check-input",
      checked: chosen.has(task.task_id),
      onchange: () => {
        if (box.checked) chosen.add(task.task_id);
        else chosen.delete(task.task_id);
        changed();
      },
    });
    const names = task.components.map((component) => component.name).join(", ");
    return h(
      "label",
      { class: "form-check" },
      box,
      h("span", { class: "form-check-label" }, task.name, " ", h("span", { class: "b-meta" }, names)),
    );
  });
  return h("fieldset", { class: "b-fieldset" }, h("legend", { class: "form-label" }, "3. Task"), rows);
}

/** Which value stays where both Apps have one, and what comes along without a question. */
export function variableChoice(
  language: Language,
  conflicts: readonly Conflict[],
  fresh: readonly (readonly [string, string])[],
  theirs: Set<string>,
): HTMLElement[] {
  if (conflicts.length === 0 && fresh.length === 0) return [];
  const come = h(
    "p",
    { class: "b-meta" },
    either(language, "함께 가져옵니다: ", "These come along: "),
    h("span", { class: "mono" }, fresh.map(([key, value]) => `${key}=${value}`).join(", ")),
  );
  return [
    h(
      "fieldset",
      { class: "b-fieldset" },
      h("legend", { class: "form-label" }, either(language, "환경 변수", "Environment variables")),
      conflicts.map((one) => conflictRow(language, one, theirs)),
      fresh.length > 0 && come,
    ),
  ];
}

function conflictRow(language: Language, conflict: Conflict, theirs: Set<string>): HTMLElement {
  const name = freshId("value");
  const choice = (label: string, value: string, isTheirs: boolean) =>
    h(
      "label",
      { class: "form-check" },
      h("input", {
        type: "radio",
        class: "form-check-input",
        name,
        checked: theirs.has(conflict.key) === isTheirs,
        onchange: () => {
          if (isTheirs) theirs.add(conflict.key);
          else theirs.delete(conflict.key);
        },
      }),
      h("span", { class: "form-check-label" }, label, " ", h("code", {}, value)),
    );
  return h(
    "div",
    { class: "b-conflict", role: "radiogroup", "aria-label": conflict.key },
    h("span", { class: "mono" }, conflict.key),
    choice(either(language, "내 값 유지", "Keep mine"), conflict.mine, false),
    choice(either(language, "가져온 값", "Take theirs"), conflict.theirs, true),
  );
}

/** Components, connections and resources that differ, one under the other; `tasks` give the names. */
export function differenceTable(
  language: Language,
  groups: readonly Group[],
  [old, fresh]: readonly [string, string],
  tasks: readonly Task[],
): HTMLElement {
  const shownGroups = groups.filter((group) => group.kind !== "app");
  if (shownGroups.length === 0)
    return h(
      "p",
      { class: "b-meta" },
      either(language, "이 Task들은 달라지지 않습니다.", "Nothing changes in these Tasks."),
    );
  return h(
    "div",
    { class: "b-scroll" },
    h(
      "table",
      { class: "b-difference" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          h("th", { scope: "col", class: "mono" }, old),
          h("th", { scope: "col", class: "mono" }, fresh),
        ),
      ),
      shownGroups.map((group) => groupRows(language, group, tasks)),
    ),
  );
}

const CHANGES = { added: ["추가됨", "Added"], removed: ["삭제됨", "Removed"], changed: ["", ""] } as const;

function groupRows(language: Language, group: Group, tasks: readonly Task[]): HTMLElement {
  const [ko, en] = CHANGES[group.change];
  const names = namesIn(group.where, tasks);
  return h(
    "tbody",
    {},
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "rowgroup", colspan: 3 },
        nameOf(group.where, tasks),
        ko !== "" && " ",
        ko !== "" && h("span", { class: "tag" }, either(language, ko, en)),
      ),
    ),
    group.changes.map((change) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, fieldName(language, change.path)),
        h("td", { class: "b-old" }, shownValue(change.old, names)),
        h("td", { class: "b-new" }, shownValue(change.new, names)),
      ),
    ),
  );
}

/** `data-preprocessing › data-loader` of `TASK-002/CL-REF-005`. */
function nameOf(where: string, tasks: readonly Task[]): string {
  const [taskId = "", node] = where.split("/");
  const of = tasks.filter((task) => task.task_id === taskId);
  const name = of[0]?.name ?? taskId;
  if (node === undefined) return name;
  const component = of.map((task) => componentOf(task, node)).find((one) => one !== undefined);
  return `${name} › ${component?.name ?? node}`;
}

/** What the ids in a group's values stand for: the Task's components, and the Tasks themselves. */
function namesIn(where: string, tasks: readonly Task[]): Map<string, string> {
  const components = tasks
    .filter((task) => task.task_id === where.split("/")[0])
    .flatMap((task) => task.components.map((component): [string, string] => [nodeId(component), component.name]));
  return new Map([...tasks.map((task): [string, string] => [task.task_id, task.name]), ...components]);
}

const FIELDS: Record<string, readonly [string, string]> = {
  name: ["이름", "Name"],
  components: ["컴포넌트", "Components"],
  workflow: ["연결", "Connections"],
  after: ["선행 Task", "After"],
  "resources.gpu_type": ["GPU 유형", "GPU type"],
  "resources.gpu_count": ["GPU 수", "GPUs"],
  "resources.memory": ["메모리", "Memory"],
  "resources.cpus": ["CPU", "CPU"],
  "resources.nodes": ["노드 수", "Nodes"],
};

function fieldName(language: Language, path: string): Child {
  const words = FIELDS[path];
  return words ? either(language, ...words) : h("span", { class: "mono" }, path);
}

function shownValue(value: Json, names: ReadonlyMap<string, string>): string {
  if (value === null) return "—";
  if (Array.isArray(value) && value.every((one) => typeof one === "string"))
    return value.map((one) => namedIds(one, names)).join(", ") || "—";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** `loader → checker` of `CL-1 → CL-2 (finished)`, which is how the server writes a connection. */
function namedIds(text: string, names: ReadonlyMap<string, string>): string {
  const connection = /^(\S+) → (\S+) \((\w+)\)$/.exec(text);
  if (!connection) return names.get(text) ?? text;
  const [from, to] = [connection[1] ?? "", connection[2] ?? ""].map((id) => names.get(id) ?? id);
  return `${from} ${connection[3] === "started" ? "⇢" : "→"} ${to}`;
}

/** `PreProcessor-App 1.0.0에서 가져옴` as a way to the App, or why there is none. */
export function sourceText(store: Store, ref: string): HTMLElement {
  const { language, data } = store;
  const app = importOf(store.spec, ref);
  const name = app?.name ?? ref;
  const version = app?.version ?? either(language, "(버전 미상)", "(version unknown)");
  const words = either(language, `${name} ${version}에서 가져옴`, `Imported from ${name} ${version}`);
  if (data.sources[ref]?.length !== 0) return h("a", { href: `/apps/${encodeURIComponent(ref)}` }, words);
  const why = either(
    language,
    `원본을 볼 수 없습니다. 고정된 ${version} 내용은 그대로 실행됩니다.`,
    `Source not visible. The pinned ${version} still runs.`,
  );
  return h("span", {}, words, h("span", { class: "b-meta b-source-gone" }, why));
}

/** The chip of a version that has not been looked at yet. */
export function newerChip(store: Store, ref: string, open: () => void): Child {
  const newer = store.mayEdit ? newerVersion(store.spec, ref, store.data.sources[ref]) : null;
  if (newer === null) return null;
  const words = either(store.language, `새 버전 ${newer}`, `Update ${newer}`);
  const index = store.spec.imported_apps?.findIndex((app) => app.app_ref === ref);
  return button([icon("arrow-up", 14), words], open, {
    class: "btn b-update",
    "data-field": `imported_apps.${index}.version`,
  });
}

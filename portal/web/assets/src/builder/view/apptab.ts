/** The App tab: its Tasks in order, name and version, variables, storage, and Apps to import. */

import { icon } from "../../shared/icon";
import { largestOf, resourcesText } from "../model/amounts";
import * as edit from "../model/edit";
import { type AppSpec, isImported, type Task } from "../model/spec";
import { either, say } from "../model/words";
import { button, type Child, field, freshId, h } from "./dom";
import { importDialog, updateDialog } from "./importdialog";
import { newerChip, sourceText } from "./importparts";
import type { Store } from "./store";

export function appTab(store: Store, root: HTMLElement): void {
  const draw = () => {
    if (store.shown.tab === "app") root.replaceChildren(tasks(store), facts(store));
  };
  store.listen((changed, from) => {
    if (changed.has("tab") || (changed.has("spec") && from !== "app")) draw();
  });
  draw();
}

function tasks(store: Store): HTMLElement {
  const { language } = store;
  const heads = [
    "#",
    either(language, "이름", "Name"),
    either(language, "컴포넌트 수", "Components"),
    either(language, "최대 자원", "Maximum resources"),
    either(language, "원본", "Source"),
    either(language, "선행 Task", "After"),
  ];
  const add = () => {
    const made = edit.addTask(store.spec, `${say(language, "new_task")} ${store.spec.tasks.length + 1}`);
    store.change({ spec: made.spec }, "tasks");
    store.show({ task: made.taskId });
  };
  const execution = h(
    "select",
    {
      class: "form-select",
      disabled: !store.mayEdit,
      onchange: () =>
        store.change(
          {
            spec: edit.setAppField(
              store.spec,
              "execution",
              execution.value === "sequential" ? undefined : execution.value,
            ),
          },
          "tasks",
        ),
    },
    h(
      "option",
      { value: "sequential", selected: store.spec.execution !== "parallel" },
      either(language, "순차", "One after another"),
    ),
    h(
      "option",
      { value: "parallel", selected: store.spec.execution === "parallel" },
      either(language, "병렬", "Parallel"),
    ),
  );
  return h(
    "section",
    { class: "b-panel" },
    h(
      "header",
      { class: "b-bar" },
      h("h2", {}, "Task"),
      store.mayEdit && button(either(language, "Task 추가", "Add Task"), add),
      store.mayEdit && button(either(language, "App 가져오기", "Import App"), () => importDialog(store)),
    ),
    field(either(language, "실행 방식", "Execution"), execution),
    h(
      "div",
      { class: "b-scroll" },
      h(
        "table",
        { class: "table b-tasks" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) => h("th", { scope: "col" }, head)),
            h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, either(language, "작업", "Actions"))),
          ),
        ),
        h(
          "tbody",
          {},
          store.spec.tasks.map((task, index) => taskRow(store, task, index)),
        ),
      ),
    ),
    store.spec.tasks.length === 0 &&
      h(
        "p",
        { class: "b-empty" },
        either(
          language,
          "Task가 없습니다. Task를 추가하거나 다른 App에서 가져오세요.",
          "No Tasks. Add one or import an App.",
        ),
      ),
  );
}

function taskRow(store: Store, task: Task, index: number): HTMLElement {
  const { language } = store;
  const most = largestOf(task.components, store.data.site);
  const step = (spec: AppSpec) => store.change({ spec }, "tasks");
  const remove = () => {
    const after = edit.followers(store.spec, task.task_id).map((one) => one.name);
    step(edit.removeTask(store.spec, task.task_id));
    const also =
      after.length > 0
        ? either(language, ` 뒤에 오던 Task: ${after.join(", ")}.`, ` It came before ${after.join(", ")}.`)
        : "";
    store.say(
      either(
        language,
        `${task.name}을(를) 삭제했습니다.${also} Ctrl+Z로 되돌릴 수 있습니다.`,
        `Deleted ${task.name}.${also} Ctrl+Z brings it back.`,
      ),
    );
  };
  const act = (name: string, label: string, does: () => void, off = false) =>
    h(
      "button",
      {
        type: "button",
        class: "btn btn-icon",
        "aria-label": `${task.name}: ${label}`,
        title: label,
        disabled: off,
        onclick: does,
      },
      icon(name),
    );
  const name = h("input", {
    class: "form-control",
    value: task.name,
    maxlength: 128,
    readonly: !store.mayEdit || isImported(task),
    "aria-label": either(language, "Task 이름", "Task name"),
    oninput: () =>
      store.change({ spec: edit.renameTask(store.spec, task.task_id, name.value) }, "app", `task.${task.task_id}`),
  });
  return h(
    "tr",
    {},
    h("td", {}, String(index + 1)),
    h("th", { scope: "row" }, name, h("span", { class: "mono b-meta" }, task.task_id)),
    h("td", {}, String(task.components.length)),
    h("td", {}, most ? resourcesText(most.resources, store.data.site, ", ") : "—"),
    h("td", { class: "b-source" }, sourceOf(store, task)),
    h("td", {}, afterChoice(store, task)),
    h(
      "td",
      { class: "b-acts" },
      act(store.mayEdit ? "pencil" : "eye", either(language, "편집", "Edit"), () =>
        store.show({ tab: "task", task: task.task_id, nodes: new Set() }),
      ),
      store.mayEdit && [
        act(
          "chevron-up",
          either(language, "위로", "Up"),
          () => step(edit.moveTask(store.spec, task.task_id, -1)),
          index === 0,
        ),
        act(
          "chevron-down",
          either(language, "아래로", "Down"),
          () => step(edit.moveTask(store.spec, task.task_id, 1)),
          index === store.spec.tasks.length - 1,
        ),
        act("copy", either(language, "복제", "Duplicate"), () =>
          step(edit.duplicateTask(store.spec, task.task_id, say(language, "copy_of", { name: task.name })).spec),
        ),
        act("trash", either(language, "삭제", "Delete"), remove),
      ],
    ),
  );
}

function sourceOf(store: Store, task: Task): Child {
  const { language } = store;
  const ref = task.imported_from;
  if (!ref) return either(language, "직접 만듦", "Made here");
  return [
    h("span", { class: "tag" }, icon("lock", 14), either(language, "가져옴", "Imported")),
    sourceText(store, ref),
    newerChip(store, ref, () => updateDialog(store, ref)),
  ];
}

function afterChoice(store: Store, task: Task): HTMLElement {
  const others = store.spec.tasks.filter((one) => one.task_id !== task.task_id);
  const chosen = task.after ?? [];
  const shown = others.filter((one) => chosen.includes(one.task_id)).map((one) => one.name);
  return h(
    "details",
    {},
    h("summary", {}, shown.join(", ") || "—"),
    others.map((one) => {
      const box = h("input", {
        type: "checkbox",
        class: "form-check-input",
        checked: chosen.includes(one.task_id),
        disabled: !store.mayEdit,
        onchange: () => {
          const after = box.checked ? [...chosen, one.task_id] : chosen.filter((id) => id !== one.task_id);
          store.change({ spec: edit.setAfter(store.spec, task.task_id, after) }, "tasks");
        },
      });
      return h("label", { class: "form-check" }, box, h("span", { class: "form-check-label" }, one.name));
    }),
  );
}

function facts(store: Store): HTMLElement {
  const { language } = store;
  const text = (name: "name" | "version", label: string) => {
    const box = h("input", {
      class: "form-control",
      value: store.spec[name],
      maxlength: 128,
      readonly: !store.mayEdit,
      "data-field": name,
      oninput: () => store.change({ spec: edit.setAppField(store.spec, name, box.value) }, "app", `app.${name}`),
    });
    return field(label, box);
  };
  return h(
    "section",
    { class: "b-panel b-facts" },
    h("h2", {}, "App"),
    text("name", either(language, "이름", "Name")),
    text("version", either(language, "버전", "Version")),
    storage(store),
    variables(store),
  );
}

function storage(store: Store): HTMLElement {
  const { language } = store;
  const box = h("input", {
    class: "form-control mono",
    value: store.spec.storage?.path ?? "",
    list: "b-roots",
    readonly: !store.mayEdit,
    "data-field": "storage.path",
    placeholder: store.data.site.storage_roots[0] ?? "",
    oninput: () => {
      const value =
        box.value === "" ? undefined : { ...(store.spec.storage ?? { type: "distributed" }), path: box.value };
      store.change({ spec: edit.setAppField(store.spec, "storage", value) }, "app", "app.storage");
    },
  });
  const roots = h(
    "datalist",
    { id: "b-roots" },
    store.data.site.storage_roots.map((root) => h("option", { value: root })),
  );
  return h(
    "div",
    {},
    field(
      either(language, "저장소", "Storage"),
      box,
      either(
        language,
        `허용된 위치: ${store.data.site.storage_roots.join(", ")}`,
        `Allowed places: ${store.data.site.storage_roots.join(", ")}`,
      ),
    ),
    roots,
  );
}

function variables(store: Store): HTMLElement {
  const { language } = store;
  const entries = () => Object.entries(store.spec.env_vars ?? {});
  const set = (next: [string, string][], from = "vars", key = "") =>
    store.change({ spec: edit.setVariables(store.spec, next) }, from, key);
  const problem = (key: string, value: string) => {
    const refused = edit.variableRefusal(key, value);
    return refused ? say(language, refused.word, refused.values) : "";
  };
  const rows = entries().map(([key, value], index) => {
    const hint = h("p", { class: "b-note is-bad", id: freshId("hint") }, problem(key, value));
    hint.hidden = hint.textContent === "";
    const name = h("input", {
      class: `form-control mono${problem(key, value) ? " is-invalid" : ""}`,
      value: key,
      readonly: !store.mayEdit,
      "aria-label": either(language, "키", "Key"),
      "aria-describedby": hint.id,
      "aria-invalid": String(!hint.hidden),
      "data-field": `env_vars.${key}`,
      onchange: () => set(entries().with(index, [name.value, entries()[index]?.[1] ?? ""])),
    });
    const held = h("input", {
      class: "form-control mono",
      value,
      readonly: !store.mayEdit,
      "aria-label": either(language, `${key} 값`, `Value of ${key}`),
      oninput: () => {
        set(entries().with(index, [key, held.value]), "app", `env.${index}`);
        hint.textContent = problem(key, held.value);
        hint.hidden = hint.textContent === "";
        name.classList.toggle("is-invalid", !hint.hidden);
        name.setAttribute("aria-invalid", String(!hint.hidden));
      },
    });
    const remove = h(
      "button",
      {
        type: "button",
        class: "btn btn-icon",
        "aria-label": either(language, `${key} 삭제`, `Delete ${key}`),
        onclick: () => set(entries().toSpliced(index, 1)),
      },
      icon("trash"),
    );
    return h("div", {}, h("div", { class: "b-pair" }, name, held, store.mayEdit && remove), hint);
  });
  const add = () =>
    set([...entries(), [edit.freeId("KEY", new Set(entries().map(([key]) => key))).replaceAll("-", "_"), ""]]);
  const paste = h("textarea", {
    class: "form-control mono",
    rows: 2,
    placeholder: "KEY=VALUE",
    "aria-label": either(language, "K=V 줄 붙여넣기", "Paste K=V lines"),
  });
  const take = () => {
    const found = edit.variableLines(paste.value);
    if (found.entries.length > 0) set([...new Map([...entries(), ...found.entries])]);
    if (found.left.length > 0)
      store.say(
        either(language, `읽지 못한 줄: ${found.left.join(" / ")}`, `Lines not read: ${found.left.join(" / ")}`),
        true,
      );
  };
  return h(
    "fieldset",
    { class: "b-fieldset", "data-field": "env_vars" },
    h("legend", { class: "form-label" }, either(language, "환경 변수", "Environment variables")),
    rows,
    store.mayEdit && button(either(language, "추가", "Add"), add, { class: "btn btn-link b-small" }),
    store.mayEdit && h("div", { class: "b-bar" }, paste, button(either(language, "붙여넣기", "Take over"), take)),
    h(
      "p",
      { class: "form-hint" },
      either(
        language,
        "비밀 값을 넣지 마세요. 스펙 파일에 그대로 저장됩니다.",
        "Do not put secrets here; they are stored in the spec file.",
      ),
    ),
  );
}

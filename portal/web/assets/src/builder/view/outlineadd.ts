/** Adds a component of the library in the outline, and says what a change there did: the way without a canvas. */

import { approvalReasons } from "../model/amounts";
import * as edit from "../model/edit";
import { stages } from "../model/graph";
import { componentOf, isImported, taskOf } from "../model/spec";
import { either, say } from "../model/words";
import { paletteKey } from "./canvas";
import { button, field, h } from "./dom";
import type { Store } from "./store";

/** `rl-agent, 2번째 순서, 승인 필요` */
export function effect(store: Store, taskId: string, node: string): string {
  const { language, data } = store;
  const task = taskOf(store.spec, taskId);
  const component = componentOf(task, node);
  if (!task || !component) return "";
  const stage = stages(task).get(node);
  const over = approvalReasons(component, data.site).length > 0;
  return [
    component.name,
    stage === undefined
      ? either(language, "순환 안에 있습니다", "in a cycle")
      : either(language, `${stage}번째 순서`, `stage ${stage}`),
    say(language, over ? "needs_approval" : "under_threshold"),
  ].join(", ");
}

/** The combobox over the list; null where nothing may be added. */
export function addComponent(store: Store, added: (node: string) => void): HTMLElement | null {
  const { language, data, task } = store;
  const offered = data.palette.filter((entry) => !entry.deprecated);
  if (!task || !store.mayEdit || isImported(task) || offered.length === 0) return null;
  const choice = h(
    "select",
    { class: "form-select", "data-key": "add-component" },
    offered.map((entry) => h("option", { value: paletteKey(entry) }, `${entry.name} ${entry.version ?? ""}`.trim())),
  );
  const add = () => {
    const entry = offered.find((one) => paletteKey(one) === choice.value);
    if (!entry) return;
    const made = edit.place(store.spec, task.task_id, entry);
    store.placed(entry.component_id);
    store.change({ spec: made.spec }, "outline-add");
    added(made.node);
    store.say(effect(store, task.task_id, made.node));
  };
  return h(
    "div",
    { class: "b-bar b-outline-add" },
    field(either(language, "컴포넌트 추가", "Add component"), choice),
    button(either(language, "추가", "Add"), add),
  );
}

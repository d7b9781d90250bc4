/** What the library says of a placement: deprecated, or a newer version with its difference and the step to it. */

import { icon } from "../../shared/icon";
import { differences, entryOf, newerThan, updatePlacement } from "../model/library";
import type { Component, Json } from "../model/spec";
import { either } from "../model/words";
import { button, h } from "./dom";
import type { Store } from "./store";

export function libraryBlock(
  store: Store,
  taskId: string,
  node: string,
  component: Component,
  locked: boolean,
): HTMLElement[] {
  const { language, data } = store;
  const found: HTMLElement[] = [];
  if (entryOf(component, data.palette)?.deprecated)
    found.push(
      h(
        "p",
        { class: "b-note is-await" },
        icon("archive"),
        either(language, "사용 중단된 컴포넌트입니다.", "Deprecated component."),
      ),
    );
  const newer = locked ? null : newerThan(component, data.palette);
  if (!newer) return found;
  const take = () => {
    store.change({ spec: updatePlacement(store.spec, taskId, node, newer) }, "library");
    store.say(
      either(
        language,
        `${component.name}: ${newer.version} 버전으로 바꿨습니다. 되돌리기: Ctrl+Z`,
        `${component.name} is on version ${newer.version} now. Undo: Ctrl+Z`,
      ),
    );
  };
  const rows = differences(component, newer).map((one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "mono" }, one.path),
      h("td", {}, shown(one.old)),
      h("td", {}, shown(one.new)),
    ),
  );
  const table = h(
    "table",
    { class: "b-difference" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        h("th", { scope: "col", class: "mono" }, component.component_version ?? ""),
        h("th", { scope: "col", class: "mono" }, newer.version),
      ),
    ),
    h("tbody", {}, rows),
  );
  return [
    ...found,
    h(
      "section",
      { class: "b-newer", "aria-label": either(language, "새 라이브러리 버전", "Newer library version") },
      h("p", {}, icon("arrow-up"), h("b", {}, either(language, `새 버전 ${newer.version}`, `Update ${newer.version}`))),
      rows.length > 0
        ? table
        : h("p", { class: "b-meta" }, either(language, "여기서 바뀌는 값은 없습니다.", "Nothing changes here.")),
      button(either(language, "업데이트", "Update"), take, { class: "btn", "data-key": "update-version" }),
    ),
  ];
}

function shown(value: Json | undefined): string {
  if (value === undefined) return "—";
  return typeof value === "string" ? value : JSON.stringify(value);
}

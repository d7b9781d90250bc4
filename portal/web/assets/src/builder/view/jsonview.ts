/** The JSON of the App beside its problems: edits apply when they can be shown, and never replace the App when not. */

import { parseSpec, specText, type TextProblem } from "../model/jsontext";
import { spotOf } from "../model/place";
import { either, say } from "../model/words";
import { h } from "./dom";
import type { Problem, Store } from "./store";

const APPLY_AFTER_MS = 400;

export function jsonView(store: Store, root: HTMLElement): (problem: Problem) => void {
  const { language } = store;
  let wrong: TextProblem[] = [];
  let timer = 0;
  const area = h("textarea", {
    class: "form-control mono b-json",
    spellcheck: "false",
    readonly: !store.mayEdit,
    "aria-label": either(language, "스펙 파일 (JSON)", "Spec file (JSON)"),
    oninput: () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(apply, APPLY_AFTER_MS);
    },
  });
  const list = h("div", { class: "b-json-problems", "aria-live": "polite" });
  root.append(list, area);

  const apply = () => {
    const parsed = parseSpec(area.value, language);
    wrong = "problems" in parsed ? parsed.problems : [];
    if ("spec" in parsed && JSON.stringify(parsed.spec) !== JSON.stringify(store.spec))
      store.change({ spec: parsed.spec }, "json", "json");
    draw();
  };
  const goTo = (line: number, column: number) => {
    const lines = area.value.split("\n");
    const offset = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
    area.focus();
    area.setSelectionRange(offset, offset + 1);
    area.scrollTop = Math.max(0, (line - 4) * 20);
  };
  const entry = (line: number, column: number, message: string) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "btn btn-link b-small", onclick: () => goTo(line, column) },
        `${line}:${column}`,
      ),
      " ",
      message,
    );
  const draw = () => {
    if (wrong.length > 0) {
      list.replaceChildren(
        h("p", { class: "b-note is-bad" }, say(language, "not_applied", { n: wrong.length })),
        h(
          "ul",
          {},
          wrong.map((one) => entry(one.line, one.column, one.message)),
        ),
      );
      return;
    }
    const found = store.shown.problems.map((one) => {
      const { line, column } = spotOf(area.value, one.path);
      return entry(line, column, `${one.path}: ${one.message} ${one.cure}`);
    });
    list.replaceChildren(
      found.length > 0
        ? h("ul", {}, found)
        : h("p", { class: "b-note" }, either(language, "문제가 없습니다.", "No problems.")),
    );
  };
  const write = () => {
    wrong = [];
    area.value = specText(store.spec);
    draw();
  };
  store.listen((changed, from) => {
    const visible = store.shown.tab === "task" && store.shown.view === "json";
    if (!visible) return;
    if ((changed.has("spec") && from !== "json") || changed.has("view") || changed.has("tab")) write();
    else if (changed.has("problems")) draw();
  });
  write();
  return (problem) => {
    const { line, column } = spotOf(area.value, problem.path);
    goTo(line, column);
  };
}

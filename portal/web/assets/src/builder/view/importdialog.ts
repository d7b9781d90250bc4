/** The dialog that imports Tasks of another App, or brings an import to another version: App, version, Tasks, variables. */

import { icon } from "../../shared/icon";
import * as imports from "../model/imports";
import type { AppSpec } from "../model/spec";
import { either, say } from "../model/words";
import { button, field, h } from "./dom";
import { differenceTable, type Group, taskChoice, variableChoice } from "./importparts";
import { request } from "./saving";
import type { Store } from "./store";

const SEARCH_AFTER_MS = 250;

interface Importable {
  app_id: string;
  name: string;
  versions: string[];
}

/** What was chosen of a version so far. */
interface Choice extends imports.Taking {
  tasks: Set<string>;
  theirs: Set<string>;
}

/** Begins with the choice of an App. */
export function importDialog(store: Store): void {
  new ImportDialog(store).chooseApp();
}

/** Begins with the newest version of an App that is imported already. */
export function updateDialog(store: Store, ref: string): void {
  const name = imports.importOf(store.spec, ref)?.name ?? ref;
  new ImportDialog(store).chooseVersion({ app_id: ref, name, versions: store.data.sources[ref] ?? [] });
}

class ImportDialog {
  private readonly title = h("h2", { id: "b-import-title" });
  private readonly body = h("div", { class: "b-import-body" });
  private readonly actions = h("div", { class: "b-bar b-import-actions" });
  private readonly dialog: HTMLDialogElement = h(
    "dialog",
    { class: "b-dialog b-import", "aria-labelledby": "b-import-title", onclose: () => this.dialog.remove() },
    this.title,
    this.body,
    this.actions,
  );
  /** Answers that come after a later question are left alone. */
  private asked = 0;

  constructor(private readonly store: Store) {
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  /** Step 1. */
  chooseApp(): void {
    const list = h("ul", { class: "b-importable", "aria-live": "polite" });
    let timer = 0;
    const search = h("input", {
      class: "form-control",
      type: "search",
      placeholder: this.either("App 검색", "Search Apps"),
      oninput: () => {
        window.clearTimeout(timer);
        timer = window.setTimeout(() => void this.fillApps(list, search.value), SEARCH_AFTER_MS);
      },
    });
    this.title.textContent = this.either("App 가져오기", "Import App");
    this.body.replaceChildren(field(this.either("1. App", "1. App"), search), list);
    this.actions.replaceChildren(this.closeButton());
    search.focus();
    void this.fillApps(list, "");
  }

  private async fillApps(list: HTMLElement, words: string): Promise<void> {
    const found = await this.ask(`?q=${encodeURIComponent(words)}`);
    if (!found) return;
    const apps = found.apps as Importable[];
    const rows = apps.map((app) => {
      const pinned = imports.importOf(this.store.spec, app.app_id);
      return h(
        "li",
        { class: "b-bar" },
        h("strong", {}, app.name),
        h("span", { class: "mono b-meta" }, `${app.app_id} ${app.versions[0] ?? ""}`),
        pinned !== undefined && h("span", { class: "tag" }, icon("lock", 14), this.pinnedText(pinned.version)),
        h("span", { class: "b-spring" }),
        button(this.either("선택", "Choose"), () => this.chooseVersion(app), {
          "aria-label": this.either(`${app.name} 선택`, `Choose ${app.name}`),
        }),
      );
    });
    const none = h("li", { class: "b-empty" }, this.either("가져올 App이 없습니다.", "No App to import."));
    list.replaceChildren(...(rows.length > 0 ? rows : [none]));
  }

  /** Step 2, with step 3 under it. */
  chooseVersion(app: Importable): void {
    const rest = h("div", { class: "b-import-rest", "aria-live": "polite" });
    const versions = h(
      "select",
      { class: "form-select", onchange: () => void this.fillVersion(app, versions.value, rest) },
      app.versions.map((version) => h("option", { value: version }, version)),
    );
    const pinned = imports.importOf(this.store.spec, app.app_id);
    this.title.textContent = `${this.either("App 가져오기", "Import App")}: ${app.name}`;
    this.body.replaceChildren(
      field(this.either("2. 버전", "2. Version"), versions, pinned && this.pinnedText(pinned.version)),
      rest,
    );
    this.actions.replaceChildren(this.closeButton());
    versions.focus();
    void this.fillVersion(app, versions.value, rest);
  }

  private async fillVersion(app: Importable, version: string, rest: HTMLElement): Promise<void> {
    const found = await this.ask(this.query(app.app_id, version));
    if (!found) return;
    const chain = found.chain as string[];
    if (chain.length > 0) {
      const words = say(this.store.language, "import_cycle", { chain: chain.join(" → ") });
      rest.replaceChildren(h("p", { class: "b-note is-bad" }, icon("alert-circle"), words));
      this.actions.replaceChildren(this.otherButton(), this.closeButton());
      return;
    }
    const pin = imports.importOf(this.store.spec, app.app_id)?.version;
    // What the pinned version holds tells what was changed or left out here; without it everything counts as one's own.
    const pinned = pin ? await this.ask(this.query(app.app_id, pin), true) : {};
    if (pinned) this.fillChoice(app, found.spec as AppSpec, (pinned.spec as AppSpec | undefined) ?? null, rest);
  }

  /** Step 3. */
  private fillChoice(app: Importable, source: AppSpec, pinned: AppSpec | null, rest: HTMLElement): void {
    const { language, spec } = this.store;
    const conflicts = imports.conflicts(spec, source, pinned);
    const choice: Choice = {
      source,
      tasks: imports.firstChoice(spec, source, pinned),
      theirs: new Set(conflicts.filter((one) => one.follows).map((one) => one.key)),
    };
    const isThere = imports.tasksFrom(spec, app.app_id).length > 0;
    const take = button(
      isThere ? this.either("업데이트", "Update") : this.either("가져오기", "Import"),
      () => this.take(app, choice, isThere),
      { class: "btn btn-primary", "data-key": "take-import" },
    );
    const difference = h("section", { "aria-label": this.either("차이", "Differences") });
    const chosen = () => {
      take.disabled = choice.tasks.size === 0;
      if (isThere) void this.fillDifference(choice, difference);
    };
    rest.replaceChildren(
      ...(isThere ? [h("h3", {}, this.either("차이", "Differences")), difference] : []),
      taskChoice(source.tasks, choice.tasks, chosen),
      ...variableChoice(language, conflicts, imports.newVariables(spec, source), choice.theirs),
    );
    const offered = imports.newerVersion(spec, app.app_id, app.versions);
    this.actions.replaceChildren(
      take,
      ...(isThere && offered === source.version ? [this.keepButton(app, offered)] : []),
      this.otherButton(),
      this.closeButton(),
    );
    chosen();
  }

  private async fillDifference(choice: Choice, place: HTMLElement): Promise<void> {
    if (choice.tasks.size === 0) {
      place.replaceChildren();
      return;
    }
    const { data, language, spec } = this.store;
    const ref = choice.source.app_id;
    const [old, fresh] = [imports.importOnly(spec, ref), imports.importOnly(imports.takeOver(spec, choice), ref)];
    this.asked += 1;
    const question = this.asked;
    const answer = await request(data, "POST", data.urls.difference, { old, new: fresh });
    if (question !== this.asked) return;
    const versions = [imports.importOf(spec, ref)?.version ?? "?", choice.source.version] as const;
    place.replaceChildren(
      answer.ok
        ? differenceTable(language, answer.body.groups as Group[], versions, [...fresh.tasks, ...old.tasks])
        : h("p", { class: "b-note is-bad" }, icon("alert-circle"), answer.message),
    );
  }

  private take(app: Importable, choice: Choice, isThere: boolean): void {
    const { store } = this;
    store.data.sources[app.app_id] = app.versions;
    store.change({ spec: imports.takeOver(store.spec, choice) }, "import");
    this.dialog.close();
    const [name, version] = [app.name, choice.source.version];
    store.say(
      isThere
        ? this.either(
            `${name}: ${version} 버전으로 바꿨습니다. 되돌리기: Ctrl+Z`,
            `${name} is on version ${version} now. Undo: Ctrl+Z`,
          )
        : this.either(
            `${name} ${version}을(를) 가져왔습니다. 되돌리기: Ctrl+Z`,
            `Imported ${name} ${version}. Undo: Ctrl+Z`,
          ),
    );
  }

  private keepButton(app: Importable, offered: string): HTMLElement {
    const keep = () => {
      this.store.change({ spec: imports.decline(this.store.spec, app.app_id, offered) }, "import");
      this.dialog.close();
      this.store.say(
        this.either(
          `${app.name}: 지금 버전을 유지합니다. ${offered}보다 새 버전이 나오면 다시 알립니다.`,
          `${app.name} stays on its version. You are told again when there is one after ${offered}.`,
        ),
      );
    };
    return button(this.either("지금 버전 유지", "Keep this version"), keep);
  }

  private otherButton(): HTMLElement {
    return button(this.either("다른 App", "Another App"), () => this.chooseApp());
  }

  private closeButton(): HTMLElement {
    return button(this.either("닫기", "Close"), () => this.dialog.close());
  }

  private pinnedText(version: string | null | undefined): string {
    return version ? this.either(`지금 ${version}`, `${version} now`) : this.either("버전 미상", "Version unknown");
  }

  private query(ref: string, version: string): string {
    return `?app=${encodeURIComponent(ref)}&v=${encodeURIComponent(version)}`;
  }

  /** The answer; null when it failed (which is said, unless nothing is an answer too) or a later question was asked. */
  private async ask(query: string, mayFail = false): Promise<Record<string, unknown> | null> {
    this.asked += 1;
    const question = this.asked;
    const { data } = this.store;
    const answer = await request(data, "GET", `${data.urls.importable}${query}`);
    if (question !== this.asked) return null;
    if (answer.ok) return answer.body;
    if (mayFail) return {};
    this.body.append(h("p", { class: "b-note is-bad", role: "alert" }, icon("alert-circle"), answer.message));
    return null;
  }

  private either(ko: string, en: string): string {
    return either(this.store.language, ko, en);
  }
}

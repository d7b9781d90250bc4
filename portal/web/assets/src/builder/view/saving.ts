/** Keeps the draft: saves it a moment after each change, checks it, and loses nothing when something is in the way. */

import { either } from "../model/words";
import { button, h } from "./dom";
import type { Draft, PageData, Problem, Store } from "./store";

const SAVE_AFTER_MS = 800;
const RETRY_AFTER_MS = 10_000;
const PUBLISH_AGAIN_MS = 10_000;
/** As long as the daemon takes to ask a registry that answers. */
const ASKED_AFTER_MS = 3_000;

export interface Answer {
  ok: boolean;
  status: number;
  message: string;
  problems: Problem[];
  body: Record<string, unknown>;
}

/** A JSON request to the portal; problems come back as a value, also when nothing answers (status 0). */
export async function request(data: PageData, method: string, url: string, body?: unknown): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json",
        "Accept-Language": data.language,
        [data.csrf.header]: data.csrf.token,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const parsed = (text ? JSON.parse(text) : {}) as Record<string, unknown>;
    const problems = (parsed.problems ?? []) as Problem[];
    return {
      ok: response.ok,
      status: response.status,
      message: String(parsed.detail ?? parsed.title ?? ""),
      problems,
      body: parsed,
    };
  } catch (error) {
    return { ok: false, status: 0, message: String(error), problems: [], body: {} };
  }
}

interface Copy extends Draft {
  revision: number;
  at: string;
  /** Its writer went to sign in again and was told that it is kept: no question when nobody else saved meanwhile. */
  awaited?: boolean;
}

/** The copy of this browser: there from a change until the server has it. */
class BrowserCopy {
  private readonly key: string;
  constructor(data: PageData) {
    this.key = `one.builder.${data.user}.${data.app_id}`;
  }
  read(): Copy | null {
    const text = window.localStorage.getItem(this.key);
    try {
      return text ? (JSON.parse(text) as Copy) : null;
    } catch {
      return null;
    }
  }
  /** False when the browser has no room for it. */
  write(copy: Copy): boolean {
    try {
      window.localStorage.setItem(this.key, JSON.stringify(copy));
      return true;
    } catch {
      return false;
    }
  }
  forget(): void {
    window.localStorage.removeItem(this.key);
  }
}

export class Saving {
  revision: number;
  private readonly copy: BrowserCopy;
  private timer = 0;
  private publishing = 0;
  private saving = false;
  private stopped = false;

  constructor(private readonly store: Store) {
    this.revision = store.data.revision;
    this.copy = new BrowserCopy(store.data);
    store.imageAnswered = () => void this.validate();
    if (!store.mayEdit) {
      void this.validate();
      return;
    }
    store.listen((changed, from) => {
      if ((changed.has("spec") || changed.has("layout")) && from !== "server") this.changed();
    });
    window.addEventListener("beforeunload", (event) => {
      if (store.shown.save !== "saved") event.preventDefault();
    });
    document.addEventListener("one:session-back", (event) => {
      store.data.csrf.token = (event as CustomEvent<string>).detail; // signed in again in another tab
    });
    this.offerCopy();
    void this.validate();
  }

  private changed(): void {
    const { spec, layout } = this.store;
    this.copy.write({ spec, layout, revision: this.revision, at: new Date().toISOString() });
    if (this.stopped) return;
    this.store.show({ save: "unsaved" });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  /** Saves what is shown now; true when the server has exactly that. */
  async save(): Promise<boolean> {
    window.clearTimeout(this.timer);
    if (this.saving || this.stopped || !this.store.mayEdit) return false;
    if (this.store.shown.save === "saved" && this.revision > 0) return true;
    this.saving = true;
    const { spec, layout } = this.store;
    this.store.show({ save: "saving" });
    const answer = await request(this.store.data, "PUT", this.store.data.urls.draft, {
      revision: this.revision,
      spec,
      layout,
    });
    this.saving = false;
    if (answer.ok) return this.saved(answer, { spec, layout });
    if (answer.status === 409 && answer.body.code === "draft_changed") this.conflict(answer.message);
    else if (answer.status === 401) this.signedOut();
    else this.failed(answer);
    return false;
  }

  private saved(answer: Answer, sent: Draft): boolean {
    this.revision = Number(answer.body.revision);
    this.store.show({ problems: answer.problems });
    if (this.store.spec !== sent.spec || this.store.layout !== sent.layout) {
      this.changed();
      return false;
    }
    this.copy.forget();
    this.store.show({ save: "saved", savedAt: new Date().toISOString() });
    return true;
  }

  private failed(answer: Answer): void {
    this.store.show({ save: "failed" });
    if (answer.status >= 400 && answer.status < 500) {
      this.store.say(answer.message, true);
      return;
    }
    this.timer = window.setTimeout(() => void this.save(), RETRY_AFTER_MS);
  }

  private signedOut(): void {
    const { language } = this.store;
    this.store.show({ save: "signed_out" });
    const next = encodeURIComponent(window.location.pathname + window.location.search);
    this.dialog(
      either(language, "세션이 만료되었습니다", "Your session expired"),
      either(
        language,
        "다시 로그인하면 작성하던 내용이 그대로 있습니다.",
        "Sign in again; what you were writing is kept.",
      ),
      [[either(language, "로그인", "Sign in"), () => this.signIn(`/login?next=${next}`)]],
    );
  }

  private signIn(url: string): void {
    const copy = this.copy.read();
    if (copy) this.copy.write({ ...copy, awaited: true });
    this.leave(url);
  }

  /** Leaves without the question about unsaved input: it is in this browser's copy. */
  private leave(url: string): void {
    this.store.show({ save: "saved" });
    window.location.assign(url);
  }

  /** Somebody else saved: both sides' work stays until one of them is chosen, and the other is still there then. */
  private conflict(message: string): void {
    const { language, store } = this;
    this.stopped = true;
    store.show({ save: "conflict" });
    this.dialog(
      either(language, "다른 사람이 저장했습니다", "Somebody else saved"),
      `${message} ${either(language, "내 변경은 이 브라우저에 그대로 있습니다. 어느 쪽으로 계속할까요?", "Your changes are kept in this browser. Which one do you continue with?")}`,
      [
        [either(language, "내 것을 파일로 저장", "Download mine"), () => this.download(), true],
        [either(language, "저장된 것 불러오기", "Load theirs"), () => void this.loadTheirs(false)],
        [either(language, "내 것으로 저장", "Save mine over it"), () => void this.loadTheirs(true)],
      ],
    );
  }

  private get language() {
    return this.store.language;
  }

  /** Goes on from the newest revision, with its content or with one's own (theirs stays among the draft's saves). */
  private async loadTheirs(keepMine: boolean): Promise<void> {
    const mine = { spec: this.store.spec, layout: this.store.layout };
    const answer = await request(this.store.data, "GET", this.store.data.urls.draft);
    this.stopped = false;
    if (!answer.ok) {
      this.failed(answer);
      return;
    }
    this.revision = Number(answer.body.revision);
    if (!keepMine)
      this.store.replace({ spec: answer.body.spec as Draft["spec"], layout: answer.body.layout as Draft["layout"] });
    if (keepMine || this.store.spec === mine.spec) {
      this.store.show({ save: "unsaved" });
      await this.save();
    }
  }

  download(): void {
    const file = new Blob([JSON.stringify(this.store.spec, null, 2)], { type: "application/json" });
    const link = h("a", {
      href: URL.createObjectURL(file),
      download: `${this.store.data.app_id}-${this.store.spec.version}.json`,
    });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  private offerCopy(): void {
    const copy = this.copy.read();
    const { store, language } = this;
    if (!copy || JSON.stringify(copy.spec) === JSON.stringify(store.spec)) return;
    if (copy.awaited && copy.revision === this.revision) {
      window.setTimeout(() => this.restore(copy)); // once everything that shows the draft is there
      return;
    }
    const when = new Date(copy.at).toLocaleString(language === "ko" ? "ko-KR" : "en-GB");
    this.dialog(
      either(language, "저장되지 않은 변경이 있습니다", "There are unsaved changes"),
      either(
        language,
        `${when}의 변경이 이 브라우저에 남아 있습니다.`,
        `Changes of ${when} are still in this browser.`,
      ),
      [
        [either(language, "버리기", "Discard them"), () => this.copy.forget()],
        [either(language, "되살리기", "Restore them"), () => this.restore(copy)],
      ],
    );
  }

  private restore({ spec, layout }: Copy): void {
    this.store.replace({ spec, layout });
  }

  /** All problems by the server's rules; saves answer the same, this is for a page that only looks. */
  async validate(): Promise<void> {
    const answer = await request(this.store.data, "POST", this.store.data.urls.validate, this.store.spec);
    if (answer.ok) this.store.show({ problems: answer.problems });
  }

  async publish(): Promise<void> {
    const { store } = this;
    if (!(await this.save())) return;
    const answer = await request(store.data, "POST", store.data.urls.publish, { revision: this.revision });
    if (answer.ok) {
      this.leave(store.data.urls.app);
      return;
    }
    if (answer.body.code === "registry_unreachable") {
      this.publishLater(answer.message);
      return;
    }
    if (answer.problems.length > 0) store.show({ problems: answer.problems });
    store.say(answer.message, true);
  }

  /** The registry is asked again, and the App published when it answers, unless something is changed meanwhile. */
  private publishLater(message: string): void {
    const { store, language } = this;
    const { spec } = store;
    store.say(
      `${message} ${either(language, "답하면 저절로 발행합니다. 이 페이지를 열어 두세요.", "It is published by itself when it answers; keep this page open.")}`,
      true,
    );
    window.clearTimeout(this.publishing);
    this.publishing = window.setTimeout(async () => {
      if (store.spec !== spec) {
        store.say(
          either(language, "변경이 있어 발행을 멈췄습니다.", "Publishing was given up: something was changed."),
          true,
        );
        return;
      }
      const images = spec.tasks.flatMap((task) => task.components.map((component) => component.image));
      for (const { registry, tag } of images)
        await request(store.data, "POST", store.data.urls.image_checks, { registry, tag });
      window.setTimeout(() => void this.publish(), ASKED_AFTER_MS);
    }, PUBLISH_AGAIN_MS);
  }

  async discard(): Promise<void> {
    const answer = await request(this.store.data, "POST", this.store.data.urls.discard, { revision: this.revision });
    if (!answer.ok) {
      this.store.say(answer.message, true);
      return;
    }
    this.copy.forget();
    this.store.show({ save: "saved" });
    window.location.reload();
  }

  /** A dialog that only its buttons close; an action marked `stays` leaves it open. */
  dialog(title: string, text: string, actions: [string, () => void, boolean?][]): void {
    const heading = h("h2", { id: "b-dialog-title" }, title);
    const dialog = h("dialog", {
      class: "b-dialog",
      "aria-labelledby": "b-dialog-title",
      oncancel: (event: Event) => event.preventDefault(),
    });
    const close = () => {
      dialog.close();
      dialog.remove();
    };
    const buttons = actions.map(([label, act, stays]) =>
      button(label, () => {
        if (!stays) close();
        act();
      }),
    );
    dialog.append(heading, h("p", {}, text), h("div", { class: "b-bar" }, buttons));
    document.body.append(dialog);
    dialog.showModal();
    buttons[0]?.focus();
  }
}

/** Whether the registry has an image: asked when a component is looked at or its image typed, followed until it is known. */

import { icon } from "../../shared/icon";
import { type Component, type ImageState, imageText } from "../model/spec";
import { either, type Language } from "../model/words";
import { h } from "./dom";
import { request } from "./saving";
import type { Store } from "./store";

const ASK_AFTER_MS = 600;
const AGAIN_MS = 1000;
const MOST_TRIES = 60;
const FRESH_MS = 60_000;

const WORDS: Record<ImageState, { ko: string; en: string; css: string; icon: string }> = {
  checking: { ko: "확인 중", en: "Checking", css: "unknown", icon: "refresh" },
  verified: { ko: "확인됨", en: "Verified", css: "ok", icon: "circle-check" },
  not_found: { ko: "찾을 수 없음", en: "Not found", css: "bad", icon: "circle-x" },
  unreachable: { ko: "레지스트리 연결 불가", en: "Registry unreachable", css: "unknown", icon: "help-circle" },
  not_allowed: { ko: "허용되지 않은 레지스트리", en: "Registry not allowed", css: "bad", icon: "ban" },
  unusable: { ko: "사용할 수 없음", en: "Cannot be used", css: "bad", icon: "circle-x" },
  unchecked: { ko: "확인 안 됨", en: "Not checked", css: "unknown", icon: "help-circle" },
};

interface Known {
  state: ImageState;
  digest: string | null;
  message: string;
  at: number;
}

/** Answers of this page, by reference. */
const answers = new Map<string, Known>();

/** The word of a state, with its icon. */
export function imageBadge(language: Language, state: ImageState): HTMLElement {
  const word = WORDS[state];
  return h("span", { class: `st st-${word.css}` }, icon(word.icon, 14), either(language, word.ko, word.en));
}

/** A line under a component's image; `follow` tells it that the image may be another now. */
export function imageCheck(store: Store): { element: HTMLElement; follow: (component: Component) => void } {
  const element = h("div", { class: "b-image-check", role: "status" });
  let shown = "";
  let timer = 0;

  const draw = (known: Known | undefined, component: Component) => {
    const digest = component.image.digest ?? known?.digest;
    element.replaceChildren(
      known ? imageBadge(store.language, known.state) : "",
      digest ? h("span", { class: "mono b-meta", title: digest }, `${digest.slice(0, 19)}…`) : "",
      known?.message && known.state !== "verified" ? h("span", { class: "b-meta" }, known.message) : "",
    );
  };

  const ask = async (component: Component, reference: string, tries: number): Promise<void> => {
    const { data } = store;
    const { registry, tag } = component.image;
    const query = new URLSearchParams({ registry, tag });
    const first = tries === 0 && store.mayEdit;
    const answer = first
      ? await request(data, "POST", data.urls.image_checks, { registry, tag })
      : await request(data, "GET", `${data.urls.image_checks}?${query}`);
    if (reference !== shown || !element.isConnected) return;
    if (!answer.ok) {
      element.replaceChildren();
      return;
    }
    const before = answers.get(reference)?.state;
    const body = answer.body as unknown as Omit<Known, "at">;
    const known = { state: body.state, digest: body.digest, message: body.message, at: Date.now() };
    answers.set(reference, known);
    draw(known, component);
    if (known.state === "checking" && tries < MOST_TRIES) {
      timer = window.setTimeout(() => void ask(component, reference, tries + 1), AGAIN_MS);
    } else if (known.state !== before && (known.state === "not_found" || before === "not_found")) {
      store.imageAnswered();
    }
  };

  const follow = (component: Component) => {
    const reference = imageText(component.image);
    if (reference === shown) return;
    const first = shown === "";
    shown = reference;
    window.clearTimeout(timer);
    const known = answers.get(reference);
    draw(known, component);
    if (known && known.state !== "checking" && Date.now() - known.at < FRESH_MS) return;
    timer = window.setTimeout(() => void ask(component, reference, 0), first ? 0 : ASK_AFTER_MS);
  };
  return { element, follow };
}

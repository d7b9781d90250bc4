/** Puts changed parts into the page: elements with the same id are morphed, so focus, scroll and what is open stay. */

import { Idiomorph } from "idiomorph";
import { say } from "../frame/frame";

const SAY_EVERY_MS = 5000;
let saidAt = 0;

/** A part is not touched while something of it is open or in the hand, or the pointer rests on a table of it. */
export function isHeld(part: Element): boolean {
  if (part.hasAttribute("data-live-held")) return true;
  return part.querySelector("details[data-menu][open]") !== null || part.querySelector("table:hover") !== null;
}

function morph(now: Element, next: Element): void {
  Idiomorph.morph(now, next, {
    morphStyle: "outerHTML",
    // What is being typed stays. A focused row is no field, and the option would leave out all that is in it.
    ignoreActiveValue: !(document.activeElement instanceof HTMLTableRowElement),
    callbacks: {
      // What a person opened stays open.
      beforeAttributeUpdated: (name: string, node: Element, kind: string) =>
        !(name === "open" && kind === "remove" && node instanceof HTMLDetailsElement),
    },
  });
}

function announce(part: HTMLElement, before: string | undefined): void {
  if (part.dataset.title) document.title = part.dataset.title;
  const sentence = part.dataset.say;
  if (!sentence || sentence === before || Date.now() - saidAt < SAY_EVERY_MS) return;
  saidAt = Date.now();
  say(sentence);
}

/** Swaps every part of `html` that this page has; returns those that had to wait. */
export function swap(html: ParentNode): Element[] {
  const waiting: Element[] = [];
  for (const next of html.querySelectorAll<HTMLElement>("[data-live-part][id]")) {
    const now = document.getElementById(next.id);
    if (!now) continue;
    if (isHeld(now)) {
      waiting.push(next);
      continue;
    }
    const before = now.dataset.say;
    morph(now, next);
    const part = document.getElementById(next.id);
    if (!part) continue;
    announce(part, before);
    part.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: part } }));
  }
  return waiting;
}

export function parsed(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

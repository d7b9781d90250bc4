/** The frame's parts: menus, copying, showing a password, toasts, the expired session. Without it all pages still work. */

import { watchConfirms } from "./confirm";
import { watchForms } from "./forms";
import { watchKeys } from "./keys";
import { watchNewest } from "./newest";
import { watchNotices } from "./notify";
import { watchPolled } from "./polled";
import { watchScrolling } from "./scrolling";
import { watchSearch } from "./search";
import { watchSession } from "./session";

const TOAST_MS = 10_000;

/** The text of a <template id="text-…"> of the layout: words come from the catalogue, not from scripts. */
export function words(name: string): string {
  return document.querySelector<HTMLTemplateElement>(`#text-${name}`)?.content.textContent ?? "";
}

/** Says one sentence to screen readers. */
export function say(sentence: string): void {
  const live = document.querySelector("#live");
  if (live) live.textContent = sentence;
}

/** Shows a sentence at the bottom right for ten seconds; it stays while the pointer or the focus is on it. */
export function toast(sentence: string): void {
  const region = document.querySelector("#toasts");
  if (!region) return;
  const line = document.createElement("div");
  line.className = "toast-line";
  line.dataset.toast = "";
  const text = document.createElement("p");
  text.textContent = sentence;
  line.append(text);
  region.replaceChildren(line);
  expire(line);
}

function expire(line: Element): void {
  const busy = () => line.matches(":hover, :focus-within");
  const later = () => setTimeout(() => (busy() ? later() : line.remove()), TOAST_MS);
  later();
}

function closeMenus(except?: Element): boolean {
  const open = [...document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]")];
  for (const menu of open) if (menu !== except) menu.open = false;
  return open.length > 0;
}

async function copy(button: HTMLElement): Promise<void> {
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  toast(words("copied"));
}

function reveal(button: HTMLElement): void {
  const field = document.getElementById(button.dataset.reveal ?? "");
  if (!(field instanceof HTMLInputElement)) return;
  const hidden = field.type === "password";
  field.type = hidden ? "text" : "password";
  button.setAttribute("aria-pressed", String(hidden));
}

/** A quick text: begins the answer, or goes on with it on a line of its own. */
function writeInto(button: HTMLElement): void {
  const field = document.getElementById(button.dataset.saysInto ?? "");
  if (!(field instanceof HTMLTextAreaElement)) return;
  field.value = `${field.value ? `${field.value.trimEnd()}\n` : ""}${button.textContent?.trim()}: `;
  field.focus();
}

function onClick(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  closeMenus(target?.closest("details[data-menu]") ?? undefined);
  const copied = target?.closest<HTMLElement>("[data-copy]");
  if (copied) void copy(copied);
  const shown = target?.closest<HTMLElement>("[data-reveal]");
  if (shown) reveal(shown);
  const quick = target?.closest<HTMLElement>("[data-says-into]");
  if (quick) writeInto(quick);
  const opener = target?.closest<HTMLElement>("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog ?? "");
  if (dialog instanceof HTMLDialogElement) {
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
  }
  const closer = target?.closest("[data-close]");
  if (closer) {
    closer.closest("dialog")?.close();
    event.preventDefault();
  }
  if (target?.closest("[aria-disabled=true]")) event.preventDefault();
}

function onKey(event: KeyboardEvent): void {
  if (event.key !== "Escape") return;
  const menu = document.activeElement?.closest<HTMLDetailsElement>("details[data-menu][open]");
  if (closeMenus()) menu?.querySelector("summary")?.focus();
  else if (location.hash === "#menu") {
    location.hash = "";
    document.querySelector<HTMLElement>(".topbar-menu")?.focus();
  }
}

/** What only works with scripts is hidden without them; `root` is the page or what was swapped in. */
function enable(root: ParentNode): void {
  for (const found of root.querySelectorAll<HTMLElement>("[data-copy], [data-reveal], [data-says-into]"))
    found.hidden = false;
}

/** Where a form leads: to what is wrong in it, or, after it was done (a toast says what), to the page's title. */
function land(): void {
  const done = !location.hash && document.querySelector("#toasts [data-toast]") !== null;
  const target = document.querySelector<HTMLElement>("[data-focus]") ?? (done ? document.querySelector("h1") : null);
  target?.focus();
}

export function startFrame(): void {
  enable(document);
  document.querySelectorAll("[data-toast]").forEach(expire);
  land();
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:load", (event) => {
    if (event.target instanceof Element) enable(event.target);
  });
  watchSession();
  watchForms();
  watchConfirms();
  watchPolled();
  watchNewest();
  watchScrolling();
  watchSearch();
  watchKeys();
  watchNotices();
}

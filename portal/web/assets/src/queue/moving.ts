/** Changes to the order: Alt with the arrows on a row, dragging, and the question before a change of level. */

import { dropOn, type Target } from "./place";

const KEYS: Record<string, string> = { ArrowUp: "up", ArrowDown: "down", Home: "top" };

function rowOf(event: Event): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>("tr[data-id]") : null;
}

function targetOf(row: HTMLElement): Target {
  return { id: row.dataset.id ?? "", level: row.dataset.level ?? "" };
}

function onKey(event: KeyboardEvent): void {
  const key = event.altKey ? KEYS[event.key] : undefined;
  const row = key ? rowOf(event) : null;
  if (!row) return;
  event.preventDefault();
  row.querySelector<HTMLButtonElement>(`[data-key=${key}]`)?.click();
}

function isUpper(row: HTMLElement, event: DragEvent): boolean {
  const box = row.getBoundingClientRect();
  return event.clientY < box.top + box.height / 2;
}

let dragged: HTMLElement | null = null;

function mark(row: HTMLElement | null, upper = false): void {
  for (const one of document.querySelectorAll(".drop-above, .drop-below"))
    one.classList.remove("drop-above", "drop-below");
  row?.classList.add(upper ? "drop-above" : "drop-below");
}

function onOver(event: DragEvent): void {
  const row = rowOf(event);
  if (!dragged || !row || row === dragged) {
    mark(null);
    return;
  }
  event.preventDefault();
  mark(row, isUpper(row, event));
}

function onDrop(event: DragEvent): void {
  const row = rowOf(event);
  if (!dragged || !row) return;
  event.preventDefault();
  const moved = targetOf(dragged);
  const drop = dropOn(moved, targetOf(row), isUpper(row, event));
  if (!drop) return;
  if (drop.level) void ask(address(moved.id, drop.level, drop.before, drop.after));
  else send(moved.id, drop.before, drop.after);
}

function send(id: string, before: string, after: string): void {
  const form = document.querySelector<HTMLFormElement>("#move");
  if (!form) return;
  form.action = `/queue/${encodeURIComponent(id)}/place`;
  for (const [name, value] of Object.entries({ before, after })) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement) field.value = value;
  }
  form.requestSubmit();
}

function address(id: string, level: string, before: string, after: string): string {
  const url = new URL(location.href);
  url.hash = "";
  for (const [name, value] of Object.entries({ ask: id, level, before, after })) url.searchParams.set(name, value);
  return url.toString();
}

/** Fetches the question that the server would show on a page of its own, and opens it here. */
async function ask(url: string): Promise<void> {
  const answer = await fetch(url);
  const there = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#ask");
  const here = document.querySelector("#ask");
  if (!answer.ok || !there || !here) {
    location.assign(url);
    return;
  }
  here.replaceChildren(...there.children);
  const dialog = here.querySelector("dialog");
  dialog?.removeAttribute("open");
  dialog?.showModal();
}

function onClick(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-ask]") : null;
  if (!link) return;
  event.preventDefault();
  const menu = link.closest("details");
  if (menu) menu.open = false;
  void ask(link.href);
}

/** Nothing moves under a row in the hand (src/live/swap.ts). */
function hold(row: HTMLElement | null): void {
  dragged = row;
  document.querySelector("#queue-rows")?.toggleAttribute("data-live-held", row !== null);
}

export function startMoving(): void {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  document.addEventListener("dragstart", (event) => {
    hold(rowOf(event));
    dragged?.classList.add("dragged");
    event.dataTransfer?.setData("text/plain", dragged?.dataset.id ?? "");
  });
  document.addEventListener("dragover", onOver);
  document.addEventListener("drop", onDrop);
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    hold(null);
    mark(null);
  });
  if (location.hash.startsWith("#row-")) document.getElementById(location.hash.slice(1))?.focus();
}

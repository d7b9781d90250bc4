/** An answer to what stood in a form before somebody typed on changes nothing there: the newer question is on its way. */

const PART = "[data-newest]";
const typed = new WeakMap<Element, number>();
const asked = new WeakMap<XMLHttpRequest, number>();

interface Told {
  elt: Element;
  xhr: XMLHttpRequest;
  requestConfig: { elt: Element };
  shouldSwap: boolean;
}

function inputsOf(part: Element): number {
  return typed.get(part) ?? 0;
}

function onInput(event: Event): void {
  const part = event.target instanceof Element ? event.target.closest(PART) : null;
  if (part) typed.set(part, inputsOf(part) + 1);
}

function onAsk(event: Event): void {
  const { elt, xhr } = (event as CustomEvent<Told>).detail;
  if (elt.matches(PART)) asked.set(xhr, inputsOf(elt));
}

function onAnswer(event: Event): void {
  const { detail } = event as CustomEvent<Told>;
  const { elt } = detail.requestConfig;
  if (elt.matches(PART) && asked.get(detail.xhr) !== inputsOf(elt)) detail.shouldSwap = false;
}

/** `data-newest` stands on an element whose hx-trigger is the input of the fields in it. */
export function watchNewest(): void {
  document.addEventListener("input", onInput);
  document.addEventListener("htmx:beforeRequest", onAsk);
  document.addEventListener("htmx:beforeSwap", onAnswer);
}

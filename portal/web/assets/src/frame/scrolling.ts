/** A table or text wider than its place takes the focus, so that keys can scroll it, under the name of its card or page. */

const PLACES = ".table-scroll, .spec-text, .rg-scroll";

function nameOf(place: Element): string {
  const heading = place.closest(".card")?.querySelector("h2") ?? document.querySelector("h1");
  return heading?.textContent?.trim() ?? "";
}

function reach(place: HTMLElement): void {
  const overflows = place.scrollWidth > place.clientWidth || place.scrollHeight > place.clientHeight;
  if (!overflows || place.hasAttribute("tabindex")) return;
  place.tabIndex = 0;
  place.setAttribute("role", "group");
  if (!place.hasAttribute("aria-label")) place.setAttribute("aria-label", nameOf(place));
}

export function watchScrolling(): void {
  const all = () => document.querySelectorAll<HTMLElement>(PLACES).forEach(reach);
  all();
  window.addEventListener("resize", all);
  document.addEventListener("htmx:load", all);
}

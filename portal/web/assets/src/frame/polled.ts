/** Parts that look for news by themselves wait while somebody is at them: no row moves under a pointer, a menu or a tick. */

function busy(part: Element): boolean {
  return document.hidden || part.matches(":hover") || part.querySelector("details[data-menu][open], :checked") !== null;
}

export function watchPolled(): void {
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target;
    if (part instanceof Element && part.matches("[data-polled]") && busy(part)) event.preventDefault();
  });
}

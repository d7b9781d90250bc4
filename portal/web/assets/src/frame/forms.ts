/** Forms: one press is one request, and leaving with unsaved input asks first. */

import { words } from "./frame";

const changed = new Set<HTMLFormElement>();

function formOf(event: Event): HTMLFormElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLFormElement>("form[data-guarded]") : null;
}

function onSubmit(event: SubmitEvent): void {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
  changed.delete(form);
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  event.submitter?.classList.add("btn-loading");
}

/** Back from the cache of the browser's history: the buttons work again. */
function onShow(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector(".btn-loading")?.classList.remove("btn-loading");
  }
}

export function watchForms(): void {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("input", (event) => {
    const form = formOf(event);
    if (form) changed.add(form);
  });
  window.addEventListener("pageshow", onShow);
  window.addEventListener("beforeunload", (event) => {
    if ([...changed].some((form) => form.isConnected)) {
      event.preventDefault();
      event.returnValue = words("unsaved");
    }
  });
}

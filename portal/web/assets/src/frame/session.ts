/** A 401 on any htmx call opens the dialog of the expired session; after signing in, the same request is sent once more. */

import { say, toast, words } from "./frame";

interface Refused {
  xhr: XMLHttpRequest;
  elt: Element;
  requestConfig: { verb: string };
}

/** Told to the document when the session is there again; `detail` is the new form token. */
export const SESSION_BACK = "one:session-back";

let waiting: Element | null = null;

function onRefused(event: Event): void {
  const { xhr, elt } = (event as CustomEvent<Refused>).detail;
  if (xhr.status === 401) {
    waiting = elt;
    const dialog = document.querySelector<HTMLDialogElement>("#session-expired");
    if (dialog && !dialog.open) dialog.showModal();
    return;
  }
  const text = new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[role=alert] p");
  const sentence = text?.textContent || words("failed");
  toast(sentence);
  say(sentence);
}

/** Signing in happens in another tab; coming back here finds the session again. */
async function onBack(): Promise<void> {
  const dialog = document.querySelector<HTMLDialogElement>("#session-expired");
  if (document.hidden || !dialog?.open) return;
  const answer = await fetch("/session", { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const { token } = (await answer.json()) as { token: string };
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-Form-Token": token }));
  for (const field of document.querySelectorAll<HTMLInputElement>("input[name=form_token]")) field.value = token;
  document.dispatchEvent(new CustomEvent(SESSION_BACK, { detail: token }));
  dialog.close();
  const element = waiting;
  waiting = null;
  if (element) window.htmx.trigger(element, element.matches("form") ? "submit" : "click");
}

export function watchSession(): void {
  document.addEventListener("htmx:responseError", onRefused);
  document.addEventListener("visibilitychange", () => void onBack());
  window.addEventListener("focus", () => void onBack());
}

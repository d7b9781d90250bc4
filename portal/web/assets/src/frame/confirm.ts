/** What cannot be taken back asks first: a link's page (layout/confirm.html) as a dialog over the page one is on. */

const SELECTOR = "a[data-confirm]";

/** The form of the page behind the link; null when it is not there (signed out, gone, no network). */
async function formBehind(href: string): Promise<HTMLFormElement | null> {
  const answer = await fetch(href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector<HTMLFormElement>("form#confirm");
  return form ? document.importNode(form, true) : null;
}

/** The dialog with the form in it: named by its heading, the safe button focused, gone when closed. */
export function confirmDialog(form: HTMLFormElement): HTMLDialogElement {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  const heading = form.querySelector("h1");
  if (heading) {
    const title = document.createElement("h2");
    title.id = "confirm-title";
    title.textContent = heading.textContent;
    heading.replaceWith(title);
    dialog.setAttribute("aria-labelledby", title.id);
  }
  const safe = form.querySelector<HTMLElement>("a[data-safe]");
  safe?.setAttribute("autofocus", "");
  safe?.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.append(form);
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

async function open(link: HTMLAnchorElement): Promise<void> {
  const form = await formBehind(link.href).catch(() => null);
  if (!form) {
    location.assign(link.href);
    return;
  }
  const dialog = confirmDialog(form);
  document.body.append(dialog);
  dialog.addEventListener("close", () => link.focus());
  dialog.showModal();
}

export function watchConfirms(): void {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>(SELECTOR) : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    void open(link);
  });
}

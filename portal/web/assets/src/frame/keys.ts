/** Single keys: `/` to the page's filter, `?` the list of keys, `g` and a letter to a page. Off where the person wants. */

const CHORD_MS = 1500;

/** Where `g` and a letter lead; only what the sidebar shows. */
export const PLACES: Readonly<Record<string, string>> = {
  h: "/",
  a: "/apps",
  c: "/components",
  t: "/trainer",
  w: "/workloads",
  p: "/approvals",
  q: "/queue",
  r: "/resources",
  m: "/models",
};

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [contenteditable], dialog, .x6-graph") !== null
  );
}

function go(letter: string): boolean {
  const path = PLACES[letter];
  const link = path ? document.querySelector<HTMLAnchorElement>(`.sidebar-group a[href="${path}"]`) : null;
  link?.click();
  return link !== null;
}

function filter(): boolean {
  const field = document.querySelector<HTMLInputElement>("main input[type=search]");
  field?.focus();
  return field !== null;
}

function list(): boolean {
  const dialog = document.querySelector<HTMLDialogElement>("#keys");
  dialog?.showModal();
  return dialog !== null;
}

export function watchKeys(): void {
  if (document.body.dataset.singleKeys !== "on") return;
  let chordUntil = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const chord = event.timeStamp < chordUntil;
    chordUntil = 0;
    let done = false;
    if (chord) done = go(event.key.toLowerCase());
    else if (event.key === "g") chordUntil = event.timeStamp + CHORD_MS;
    else if (event.key === "/") done = filter();
    else if (event.key === "?") done = list();
    if (done) event.preventDefault();
  });
}

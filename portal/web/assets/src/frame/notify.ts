/**
 * Browser notifications: what comes new into the bell and is wanted this way (`data-notice-browser`) is shown outside the
 * page too, once a browser, after its person has let it. Nothing asks for the permission but the button of P25.
 */

const SEEN = "one-notices-seen";
const OFF = "one-notices-off";

export interface Told {
  id: number;
  head: string;
  body: string;
  href: string;
}

function textOf(line: Element, name: string): string {
  return line.querySelector(`[data-notice-${name}]`)?.firstChild?.textContent?.trim() ?? "";
}

/** The notices of `list` that this browser has not shown yet, oldest first. */
export function fresh(list: ParentNode, seen: number): Told[] {
  return [...list.querySelectorAll<HTMLAnchorElement>("a[data-notice-browser]")]
    .map((line) => ({
      id: Number(line.dataset.notice),
      head: [textOf(line, "title"), textOf(line, "about")].filter(Boolean).join(": "),
      body: textOf(line, "sentence"),
      href: line.getAttribute("href") ?? "/notifications",
    }))
    .filter((told) => told.id > seen)
    .sort((one, other) => one.id - other.id);
}

function allowed(): boolean {
  return "Notification" in window && Notification.permission === "granted" && !localStorage.getItem(OFF);
}

function show(told: Told): void {
  // The same tag in all tabs: the browser shows one.
  const shown = new Notification(told.head, { body: told.body, tag: `one-${told.id}` });
  shown.addEventListener("click", () => {
    window.focus();
    location.assign(told.href);
    shown.close();
  });
}

function look(): void {
  const list = document.getElementById("bell-list");
  if (!list) return;
  const key = `${SEEN}-${document.body.dataset.user ?? ""}`;
  const before = localStorage.getItem(key);
  const newest = Number(list.dataset.newest ?? 0);
  // What was there before this browser ever looked is no news.
  if (before !== null && allowed()) for (const told of fresh(list, Number(before))) show(told);
  if (before === null || newest > Number(before)) localStorage.setItem(key, String(newest));
}

function state(): string {
  if (!("Notification" in window)) return "denied";
  return Notification.permission === "granted" && localStorage.getItem(OFF) ? "default" : Notification.permission;
}

function tellState(): void {
  for (const found of document.querySelectorAll<HTMLElement>("[data-browser-notices]"))
    found.hidden = found.dataset.browserNotices !== state();
}

async function ask(): Promise<void> {
  localStorage.removeItem(OFF);
  await Notification.requestPermission();
  tellState();
}

export function watchNotices(): void {
  look();
  tellState();
  document.addEventListener("htmx:load", (event) => {
    if (event.target instanceof Element && event.target.id === "bell-list") look();
  });
  document.querySelector("[data-browser-ask]")?.addEventListener("click", () => void ask());
  document.querySelector("[data-browser-off]")?.addEventListener("click", () => {
    localStorage.setItem(OFF, "yes");
    tellState();
  });
}

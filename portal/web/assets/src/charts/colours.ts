/** The colours of the page as it is now: custom properties hold light-dark(), so a probe element's computed colour is read. */

export type Colours = (name: string) => string;

export function coloursAt(host: HTMLElement): Colours {
  const probe = document.createElement("i");
  probe.hidden = true;
  host.append(probe);
  const found = new Map<string, string>();
  const names = ["ink", "ink-2", "ink-3", "line", "field-line", "surface", "ok", "await", "bad"];
  for (const name of [...names, "s1", "s2", "s3", "s4", "s5", "s6"]) {
    probe.style.color = `var(--one-${name})`;
    found.set(name, getComputedStyle(probe).color);
  }
  probe.remove();
  return (name) => found.get(name) ?? "currentColor";
}

/** Calls `redraw` when the theme changes, by the person's choice or the system's. Returns what ends it. */
export function onTheme(redraw: () => void): () => void {
  const watcher = new MutationObserver(redraw);
  watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  return () => {
    watcher.disconnect();
    dark.removeEventListener("change", redraw);
  };
}

/**
 * The wall (templates/resources/wall.html): rotates its panels, runs its clock, and never gives up. What changes comes by
 * the page's stream (src/live/); a stream that is dead without saying so is found out by asking the server how new it is.
 */

import { words } from "../frame/frame";
import { Rotation } from "./rotation";

const TICK_MS = 500;
const CHECK_MS = 60_000;
const KEYS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };

function clockIn(zone: string): Intl.DateTimeFormat {
  const wish: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...wish, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", wish);
  }
}

/** When the figures on a page were read, and of which build the page is. */
function stampOf(page: ParentNode): { at: string; build: string } {
  const head = page.querySelector<HTMLElement>("#wall-stamp");
  return { at: head?.querySelector("time")?.dateTime ?? "", build: head?.dataset.build ?? "" };
}

export class Wall {
  private readonly panels: HTMLElement[];
  private readonly rotation: Rotation;
  private readonly clock: Intl.DateTimeFormat;
  private readonly build: string;

  constructor(private readonly root: HTMLElement) {
    this.panels = [...root.querySelectorAll<HTMLElement>("[data-panel]")];
    const names = this.panels.map((panel) => panel.dataset.panel ?? "");
    this.rotation = new Rotation(names, root.dataset.show ?? "", Number(root.dataset.every) * 1000);
    this.clock = clockIn(root.dataset.zone ?? "");
    this.build = stampOf(root).build;
  }

  start(): void {
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.root.querySelector("[data-wall-stop]")?.addEventListener("click", () => this.stop());
    window.setInterval(() => this.tick(), TICK_MS);
    window.setInterval(() => void this.check().catch(() => undefined), CHECK_MS);
    this.tick();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = KEYS[event.key];
    if (event.key === "Escape") location.assign(this.root.dataset.leave ?? "/");
    else if (event.key === " ") this.stop();
    else if (steps) this.rotation.go(steps, performance.now());
    else return;
    event.preventDefault();
    this.tick();
  }

  private stop(): void {
    this.rotation.isStopped = !this.rotation.isStopped;
    this.tick();
  }

  private tick(): void {
    const shown = this.rotation.look(performance.now());
    for (const panel of this.panels) panel.hidden = panel.dataset.panel !== shown;
    this.root.dataset.show = shown;
    this.root.toggleAttribute("data-stopped", this.rotation.isStopped);
    this.root.querySelector("[data-wall-stop]")?.setAttribute("aria-pressed", String(this.rotation.isStopped));
    const clock = this.root.querySelector("#wall-clock");
    if (clock) clock.textContent = this.clock.format(new Date());
    if (stampOf(this.root).build !== this.build) this.again();
  }

  /** What the server would show now: newer than what hangs here means that the stream has died in silence. */
  private async check(): Promise<void> {
    const before = stampOf(this.root).at;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const note = this.root.querySelector<HTMLElement>("#wall-note");
    if (answer.redirected && note) {
      note.textContent = words("wall-signed-out");
      note.hidden = false;
    }
    if (!answer.ok || answer.redirected || stampOf(this.root).at !== before) return;
    const there = stampOf(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (there.at > before) this.again();
  }

  /** Loads the page anew at the same panel. */
  private again(): void {
    const url = new URL(location.href);
    url.searchParams.set("show", this.rotation.shown);
    location.replace(url);
  }
}

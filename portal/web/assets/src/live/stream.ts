/**
 * One stream a page: elements with `data-live="TOPIC"` say what is watched (portal/web/live.py). Lost for ten seconds, the
 * page says so and fetches itself every fifteen until the stream is back.
 */

import { words } from "../frame/frame";
import { duration, streamAddress } from "./marks";
import { parsed, swap } from "./swap";

const LOST_AFTER_MS = 10_000;
const POLL_MS = 15_000;
const RETRY_MS = 5000;
const RELEASE_MS = 500;
const TICK_MS = 1000;

class LivePage {
  private seen = "";
  private stream: EventSource | null = null;
  private lostTimer = 0;
  private pollTimer = 0;
  private retryTimer = 0;
  private readonly held = new Map<string, Element>();
  private updates = 0;

  constructor(private readonly topics: readonly string[]) {}

  open(): void {
    this.stream?.close();
    const stream = new EventSource(streamAddress(this.topics, this.seen));
    this.stream = stream;
    stream.addEventListener("open", () => this.onBack());
    stream.addEventListener("parts", (event) => {
      this.seen = event.lastEventId || this.seen;
      this.take(parsed((JSON.parse(event.data) as { html: string }).html));
    });
    stream.addEventListener("error", () => this.onLost());
  }

  close(): void {
    this.stream?.close();
    clearTimeout(this.lostTimer);
    clearTimeout(this.retryTimer);
    clearInterval(this.pollTimer);
  }

  private onBack(): void {
    clearTimeout(this.lostTimer);
    clearInterval(this.pollTimer);
    this.lostTimer = this.pollTimer = 0;
    note("lost", "");
  }

  private onLost(): void {
    this.lostTimer ||= window.setTimeout(() => {
      note("lost", words("stream-lost"));
      this.pollTimer ||= window.setInterval(() => void this.poll(), POLL_MS);
    }, LOST_AFTER_MS);
    // A refused stream (401, 429, the server's own "error") is closed for good by the browser: ask again.
    if (this.stream?.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.retryTimer);
    this.retryTimer = window.setTimeout(() => this.open(), RETRY_MS);
  }

  private async poll(): Promise<void> {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }

  private take(html: ParentNode): void {
    const waiting = swap(html);
    if (!waiting.length) return;
    for (const part of waiting) this.held.set(part.id, part);
    this.updates += 1;
    note("held", words("updates").replace("{n}", String(this.updates)), () => this.release(true));
    window.setTimeout(() => this.release(false), RELEASE_MS);
  }

  /** Shows what was held back, as soon as nothing is open and the pointer has left. */
  private release(force: boolean): void {
    if (!this.held.size) return;
    const holder = document.createElement("template");
    holder.content.append(...this.held.values());
    if (force)
      for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]")) menu.open = false;
    const waiting = swap(holder.content);
    this.held.clear();
    for (const part of waiting) this.held.set(part.id, part);
    if (this.held.size) window.setTimeout(() => this.release(false), RELEASE_MS);
    else {
      this.updates = 0;
      note("held", "");
    }
  }
}

/** A line at the bottom of the page; an empty text takes it away. */
function note(name: string, text: string, onPress?: () => void): void {
  const id = `live-${name}`;
  const shown = document.getElementById(id);
  if (!text) {
    shown?.remove();
    return;
  }
  const line = shown ?? document.createElement(onPress ? "button" : "p");
  line.id = id;
  line.className = "live-note";
  line.textContent = text;
  if (!shown) {
    line.setAttribute("role", "status");
    if (onPress) line.addEventListener("click", onPress);
    document.body.append(line);
  }
}

/** Times that run: `data-since` is when it began, in seconds. */
function tick(): void {
  const korean = document.body.dataset.language === "ko";
  for (const clock of document.querySelectorAll<HTMLElement>("[data-since]")) {
    clock.textContent = duration(Date.now() / 1000 - Number(clock.dataset.since), korean);
  }
}

export function watchLive(): void {
  const topics = [...document.querySelectorAll<HTMLElement>("[data-live]")].map((part) => part.dataset.live ?? "");
  if (!topics.length) return;
  const page = new LivePage([...new Set(topics)]);
  page.open();
  window.setInterval(tick, TICK_MS);
  window.addEventListener("pagehide", () => page.close());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) page.open();
  });
}

/**
 * <one-log>: takes the windows over that the server wrote. It follows live, loads earlier windows by byte offset when one
 * scrolls up, searches on the server, and never holds more than MOST_LINES lines, however long the log.
 */

import { Block } from "./block";

const MOST_LINES = 5000;
const NEAR_PX = 40;
const RETRY_MS = 3000;

interface Piece {
  step: string;
  nodeId: string;
  iteration: number;
  try: number;
  stream: string;
  offset: number;
  text: string;
}
interface WindowAnswer {
  start: number;
  end: number;
  text: string;
}
interface HitAnswer {
  at: number | null;
  searched: number;
  size: number;
}

export class OneLog extends HTMLElement {
  private stream: EventSource | null = null;
  private cursor = "";
  private following = true;
  private needle = "";
  private from: { block: Block; byte: number } | null = null;

  connectedCallback(): void {
    this.cursor = this.dataset.cursor ?? "";
    const tools = this.querySelector<HTMLElement>(".log-tools");
    if (tools) tools.hidden = false;
    this.addEventListener("click", (event) => this.onClick(event));
    this.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.search(this.querySelector<HTMLInputElement>("input[type=search]")?.value ?? "");
    });
    this.lines.addEventListener("scroll", () => this.onScroll());
    this.toEnd();
    if (this.dataset.ended === undefined) this.follow();
  }

  disconnectedCallback(): void {
    this.stream?.close();
  }

  private get lines(): HTMLElement {
    return this.querySelector<HTMLElement>("[data-lines]") ?? this;
  }

  private get blocks(): Block[] {
    return [...this.querySelectorAll<HTMLElement>(".log-block")].map((element) => new Block(element));
  }

  private text(name: string, values: Record<string, string> = {}): string {
    const template = this.querySelector<HTMLTemplateElement>(`template[data-text="${name}"]`);
    let text = template?.content.textContent ?? "";
    for (const [key, value] of Object.entries(values)) text = text.replace(`{${key}}`, value);
    return text;
  }

  private says(text: string): void {
    const place = this.querySelector("[data-log-says]");
    if (place) place.textContent = text;
  }

  private follow(): void {
    const query = new URLSearchParams({ cursor: this.cursor });
    if (this.dataset.step) query.set("step", this.dataset.step);
    if (this.dataset.stream) query.set("stream", this.dataset.stream);
    const stream = new EventSource(`${this.dataset.base}/follow?${query}`);
    this.stream = stream;
    stream.addEventListener("open", () => this.says(""));
    stream.addEventListener("log", (event) => {
      this.cursor = event.lastEventId || this.cursor;
      this.add(JSON.parse(event.data) as Piece);
    });
    stream.addEventListener("end", () => {
      stream.close();
      this.says(this.text("ended"));
    });
    stream.addEventListener("error", () => {
      this.says(this.text("lost"));
      if (stream.readyState === EventSource.CLOSED)
        window.setTimeout(() => this.isConnected && this.follow(), RETRY_MS);
    });
  }

  /** New text goes to the end of the log, in a block of its own when another component spoke last. */
  private add(piece: Piece): void {
    this.querySelector(".log-empty")?.remove();
    const last = this.blocks.at(-1);
    let block = last;
    if (!last || last.place.step !== piece.step || last.place.stream !== piece.stream) {
      const named = [...this.querySelectorAll<HTMLElement>("[data-file]")].find(
        (one) => one.dataset.file === piece.step,
      );
      const place = {
        step: piece.step,
        stream: piece.stream,
        iteration: String(piece.iteration),
        attemptTry: String(piece.try),
      };
      const tab = this.tabOf(piece.step);
      block = Block.of(place, named?.dataset.name ?? tab.name ?? piece.nodeId, named?.dataset.colour ?? tab.colour);
      block.element.dataset.start = String(piece.offset);
      this.lines.append(block.element);
    }
    block?.append(piece.text);
    this.trim();
    if (this.following) this.toEnd();
  }

  private tabOf(step: string): { name: string | undefined; colour: string } {
    const links = document.querySelectorAll<HTMLAnchorElement>(".wl-log-nav a");
    const link = [...links].find((one) => new URL(one.href).searchParams.get("step") === step);
    const swatch = link?.querySelector("[class*=swatch-]")?.className.match(/swatch-(\d)/)?.[1];
    return { name: link?.textContent?.trim(), colour: swatch ?? "0" };
  }

  private trim(): void {
    const all = this.querySelectorAll(".log-line");
    for (const line of [...all].slice(0, Math.max(0, all.length - MOST_LINES))) line.remove();
  }

  private toEnd(): void {
    this.lines.scrollTop = this.lines.scrollHeight;
  }

  private onScroll(): void {
    const log = this.lines;
    this.setFollowing(log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX);
  }

  private setFollowing(on: boolean): void {
    this.following = on;
    this.querySelector("[data-follow]")?.setAttribute("aria-pressed", String(on));
  }

  private onClick(event: Event): void {
    const target = event.target instanceof Element ? event.target : null;
    const earlier = target?.closest<HTMLElement>("[data-earlier]");
    if (earlier) {
      event.preventDefault();
      void this.loadEarlier(earlier);
    } else if (target?.closest("[data-follow]")) {
      this.setFollowing(!this.following);
      if (this.following) this.toEnd();
    } else if (target?.closest("[data-first-error]")) {
      void this.search("");
    } else if (target?.closest("[data-wrap]")) {
      const wrapped = this.lines.classList.toggle("log-wrap");
      target.closest("[data-wrap]")?.setAttribute("aria-pressed", String(wrapped));
    }
  }

  private async loadEarlier(link: HTMLElement): Promise<void> {
    const element = link.closest<HTMLElement>(".log-block");
    if (!element) return;
    const block = new Block(element);
    const found = await this.ask<WindowAnswer>("window", block.query({ before: String(block.start) }));
    if (!found) return;
    const below = this.lines.scrollHeight - this.lines.scrollTop;
    block.prepend(found.text, found.start);
    this.lines.scrollTop = this.lines.scrollHeight - below;
    this.setFollowing(false);
    if (found.start === 0) link.closest("p")?.remove();
    else link.textContent = this.text("earlier", { name: block.name, size: `${Math.ceil(found.start / 1024)} KB` });
  }

  /** The next hit after the last one of the same words; empty words look for the first error. */
  private async search(words: string): Promise<void> {
    const blocks = this.blocks;
    if (words !== this.needle || !words) this.from = null;
    this.needle = words;
    this.says(this.text("looking"));
    const begin = this.from ? blocks.findIndex((one) => one.element === this.from?.block.element) : 0;
    for (const block of blocks.slice(Math.max(0, begin))) {
      const from = this.from?.block.element === block.element ? this.from.byte + 1 : 0;
      const hit = await this.find(block, words, from);
      if (hit === null) continue;
      this.from = { block, byte: hit };
      await this.show(block, hit);
      this.says(this.text("found", { n: hit.toLocaleString(), name: block.name }));
      return;
    }
    this.from = null;
    this.says(this.text("none"));
  }

  private async find(block: Block, words: string, from: number): Promise<number | null> {
    for (let start = from; ; ) {
      const query = block.query({ start: String(start), ...(words ? { q: words } : {}) });
      const answer = await this.ask<HitAnswer>("find", query);
      if (!answer) return null;
      if (answer.at !== null) return answer.at;
      if (answer.searched >= answer.size) return null;
      start = answer.searched;
    }
  }

  private async show(block: Block, byte: number): Promise<void> {
    const found = await this.ask<WindowAnswer>("window", block.query({ start: String(byte) }));
    if (!found) return;
    this.setFollowing(false);
    block.replace(found.text, found.start);
    const line = block.lines[0];
    line?.classList.add("log-hit");
    line?.scrollIntoView({ block: "center" });
  }

  private async ask<Answer>(what: string, query: URLSearchParams): Promise<Answer | null> {
    const attempt = this.dataset.attempt;
    if (attempt && attempt !== "0") query.set("attempt", attempt);
    const answer = await fetch(`${this.dataset.base}/${what}?${query}`, { headers: { "HX-Request": "true" } });
    return answer.ok ? ((await answer.json()) as Answer) : null;
  }
}

/** One file's window in the log: lines are added at its ends, and how many bytes lie before it is said. */

import { levelOf, linesOf, logHtml } from "./line";

export interface FilePlace {
  step: string;
  stream: string;
  iteration: string;
  attemptTry: string;
}

export class Block {
  constructor(readonly element: HTMLElement) {}

  static of(file: FilePlace, name: string, colour: string): Block {
    const element = document.createElement("div");
    element.className = "log-block";
    Object.assign(element.dataset, {
      file: file.step,
      fileStream: file.stream,
      iteration: file.iteration,
      try: file.attemptTry,
      name,
      colour,
      start: "0",
      end: "0",
    });
    return new Block(element);
  }

  get place(): FilePlace {
    const data = this.element.dataset;
    return {
      step: data.file ?? "",
      stream: data.fileStream ?? "stdout",
      iteration: data.iteration ?? "0",
      attemptTry: data.try ?? "1",
    };
  }

  get name(): string {
    return this.element.dataset.name ?? "";
  }

  get start(): number {
    return Number(this.element.dataset.start);
  }

  get lines(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>(".log-line")];
  }

  /** What the file's own address asks the server for. */
  query(extra: Record<string, string>): URLSearchParams {
    const { step, stream, iteration, attemptTry } = this.place;
    return new URLSearchParams({ step, stream, iteration, try: attemptTry, ...extra });
  }

  append(text: string): void {
    this.element.append(...linesOf(text).map((line) => this.line(line)));
  }

  prepend(text: string, start: number): void {
    const first = this.lines[0] ?? null;
    for (const line of linesOf(text)) this.element.insertBefore(this.line(line), first);
    this.element.dataset.start = String(start);
  }

  /** Another window of the same file. */
  replace(text: string, start: number): void {
    for (const line of this.lines) line.remove();
    this.element.dataset.start = String(start);
    this.append(text);
  }

  private line(text: string): HTMLElement {
    const line = document.createElement("p");
    const level = levelOf(text);
    line.className = level ? `log-line log-${level}` : "log-line";
    const name = document.createElement("span");
    name.className = `log-name swatch-text-${this.element.dataset.colour ?? "0"}`;
    name.textContent = this.name;
    const said = document.createElement("span");
    said.className = "log-text";
    said.innerHTML = logHtml(text);
    line.append(name, said);
    return line;
  }
}

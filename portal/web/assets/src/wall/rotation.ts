/** Which panel of the wall is shown: the next one every so many seconds, unless somebody has stopped it. */

export class Rotation {
  private at: number;
  private shownAt = 0;
  isStopped = false;

  constructor(
    private readonly names: readonly string[],
    first: string,
    private readonly everyMs: number,
  ) {
    this.at = Math.max(names.indexOf(first), 0);
  }

  get shown(): string {
    return this.names[this.at] ?? "";
  }

  /** The panel to show at this moment; a stop begins the panel's time anew when it ends. */
  look(now: number): string {
    if (this.isStopped || !this.shownAt) this.shownAt = now;
    if (now - this.shownAt >= this.everyMs) this.go(1, now);
    return this.shown;
  }

  /** One panel on (or back), whether it is stopped or not. */
  go(steps: number, now: number): string {
    const count = this.names.length;
    this.at = (((this.at + steps) % count) + count) % count;
    this.shownAt = now;
    return this.shown;
  }
}

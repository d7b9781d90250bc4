/** The search dialog: Ctrl+K opens it, what is typed is looked for at /search, arrows choose, Enter opens. */

const WAIT_MS = 200;

export function next(count: number, at: number, step: number): number {
  return count === 0 ? -1 : (at + step + count) % count;
}

async function results(text: string): Promise<Element | null> {
  const answer = await fetch(`/search?${new URLSearchParams({ q: text })}`, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return page.querySelector("#results");
}

class SearchDialog {
  private asked = 0;
  private timer = 0;
  private shown = "";

  constructor(
    private readonly dialog: HTMLDialogElement,
    private readonly field: HTMLInputElement,
    private readonly list: Element,
  ) {
    field.addEventListener("input", () => this.later());
    dialog.addEventListener("keydown", (event) => this.onKey(event));
  }

  open(): void {
    if (!this.dialog.open) this.dialog.showModal();
    this.field.select();
  }

  private later(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), WAIT_MS);
  }

  /** Answers may arrive in another order than they were asked for: only the newest question's counts. */
  private async look(): Promise<void> {
    this.asked += 1;
    const mine = this.asked;
    const found = await results(this.field.value).catch(() => null);
    if (mine === this.asked)
      this.list.replaceChildren(...(found ? [...found.children].map((one) => document.importNode(one, true)) : []));
  }

  /** The first hit of exactly what stands in the field; the page of results when there is none. */
  private async openFirst(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.shown !== this.field.value) await this.look();
    const link = this.list.querySelector<HTMLElement>("a.hit");
    if (link) link.click();
    else this.field.form?.submit();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === "Enter" && event.target === this.field) {
      event.preventDefault();
      void this.openFirst();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const links = [...this.list.querySelectorAll<HTMLElement>("a.hit")];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[next(links.length, at < 0 && step < 0 ? 0 : at, step)]?.focus();
    event.preventDefault();
  }
}

export function watchSearch(): void {
  const dialog = document.querySelector<HTMLDialogElement>("#search-dialog");
  const field = dialog?.querySelector<HTMLInputElement>("input[name=q]");
  const list = dialog?.querySelector(".search-results");
  if (!dialog || !field || !list) return;
  const search = new SearchDialog(dialog, field, list);
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    search.open();
  });
}

/** Live refresh: the block is fetched again and again; while somebody is at it, a button says how much is new instead. */

import { Idiomorph } from "idiomorph";
import { isDragging } from "./moving";
import { changes } from "./place";

const EVERY_MS = 5000;

function versions(root: ParentNode): Map<string, string> {
  const rows = [...root.querySelectorAll<HTMLElement>("tr[data-version]")];
  return new Map(rows.map((row) => [row.id, row.dataset.version ?? ""]));
}

/** A pointer on the rows, an open menu or dialog, or a row in the hand: then nothing may move. */
function isBusy(block: Element): boolean {
  const open = document.querySelector("details[data-menu][open], dialog[open]");
  const pointed = block.querySelector("tbody tr:hover");
  const typing = block.querySelector("input:focus, select:focus");
  return isDragging() || open !== null || pointed !== null || typing !== null;
}

function offer(count: number, text: string, show: () => void): void {
  let pill = document.querySelector<HTMLButtonElement>("#updates");
  if (!pill) {
    pill = document.createElement("button");
    pill.id = "updates";
    pill.className = "btn updates";
    pill.type = "button";
    document.body.append(pill);
  }
  pill.textContent = text.replace("{n}", String(count));
  pill.onclick = show;
}

async function look(): Promise<void> {
  const block = document.querySelector<HTMLElement>("[data-refresh]");
  if (!block || document.hidden) return;
  const answer = await fetch(block.dataset.refresh ?? location.href);
  if (!answer.ok) return;
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector<HTMLElement>("[data-refresh]");
  if (!fresh) return;
  const count = changes(versions(block), versions(fresh));
  const show = () => {
    document.querySelector("#updates")?.remove();
    Idiomorph.morph(block, fresh, { morphStyle: "outerHTML" });
  };
  if (!isBusy(block)) show();
  else if (count) offer(count, block.dataset.changed ?? "{n}", show);
}

export function startRefreshing(): void {
  const again = () =>
    setTimeout(() => {
      void look()
        .catch(() => undefined)
        .then(again);
    }, EVERY_MS);
  again();
}

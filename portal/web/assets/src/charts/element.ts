/**
 * <one-chart>: draws the chart document in its attribute `data-chart`, again whenever that changes (a live swap does), or
 * fetches it from `data-src`. What is inside the element stays under the drawing: put the summary and the table there
 * (`charts.chart(…)` of templates/layout/charts.html does), so that everything is readable without scripts.
 */

import { coloursAt, onTheme } from "./colours";
import { type ChartDocument, read } from "./document";
import { echarts } from "./echarts";
import { optionOf } from "./option";
import { moment, zoneHere } from "./time";

const SMALL_PX = 12;
const LARGE_SHARE = 0.7;

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export class OneChart extends HTMLElement {
  static readonly observedAttributes = ["data-chart", "data-src"];
  private readonly plot = document.createElement("div");
  private drawing: echarts.ECharts | null = null;
  private shown: ChartDocument | null = null;
  private end: (() => void)[] = [];

  connectedCallback(): void {
    if (!this.shadowRoot) {
      // The drawing lives in the shadow tree: a morph of the page's own elements leaves it alone.
      this.plot.part.add("plot");
      this.attachShadow({ mode: "open" }).append(this.plot, document.createElement("slot"));
    }
    const sized = new ResizeObserver(() => this.fit());
    sized.observe(this);
    const swapped = () => this.tellTimes();
    document.addEventListener("htmx:load", swapped);
    const deaf = () => document.removeEventListener("htmx:load", swapped);
    this.end = [() => sized.disconnect(), onTheme(() => this.draw()), deaf];
    void this.load();
  }

  disconnectedCallback(): void {
    for (const one of this.end) one();
    this.drawing?.dispose();
    this.drawing = null;
  }

  attributeChangedCallback(): void {
    if (this.isConnected && this.shadowRoot) void this.load();
  }

  /** Reads the document again and draws it. */
  async load(): Promise<void> {
    const source = this.dataset.src;
    if (source) {
      const answer = await fetch(source, { headers: { "HX-Request": "true" } });
      this.shown = answer.ok ? read(await answer.text()) : this.shown;
    } else {
      this.shown = read(this.dataset.chart ?? "");
    }
    this.tellTimes();
    this.draw();
  }

  /** The table's times in the zone of the axis: the server knows a choice only, not the browser's own. */
  private tellTimes(): void {
    const cells = this.querySelectorAll<HTMLElement>("[data-at]");
    if (!cells.length) return;
    const zone = zoneHere();
    for (const cell of cells) write(cell, moment(Number(cell.dataset.at), zone));
    for (const head of this.querySelectorAll<HTMLElement>("[data-zone-of]"))
      write(head, `${head.dataset.zoneOf} (${zone})`);
  }

  private fit(): void {
    if (!this.drawing) this.draw();
    else if (this.plot.clientWidth) this.drawing.resize();
  }

  private draw(): void {
    if (!this.shown || !this.plot.clientWidth) return;
    this.drawing ??= echarts.init(this.plot, null, { renderer: "svg" });
    const type = getComputedStyle(this);
    const large = Math.round(Number.parseFloat(type.fontSize) * LARGE_SHARE);
    const fontSize = this.hasAttribute("data-large") ? large : SMALL_PX;
    const look = { zone: zoneHere(), fontFamily: type.fontFamily, fontSize };
    this.drawing.setOption(optionOf(this.shown, coloursAt(this), look), { notMerge: true });
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", this.shown.summary);
  }
}

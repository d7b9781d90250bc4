/**
 * <one-chart>: draws the chart document in its attribute `data-chart`, again whenever that changes (a live swap does), or
 * fetches it from `data-src`. What is inside the element stays under the drawing: put the summary and the table there
 * (`charts.chart(…)` of templates/layout/charts.html does), so that everything is readable without scripts.
 */

import { coloursAt, onTheme } from "./colours";
import { type ChartDocument, read } from "./document";
import { echarts } from "./echarts";
import { optionOf } from "./option";

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
    this.end = [() => sized.disconnect(), onTheme(() => this.draw())];
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
    this.draw();
  }

  private fit(): void {
    if (!this.drawing) this.draw();
    else if (this.plot.clientWidth) this.drawing.resize();
  }

  private draw(): void {
    if (!this.shown || !this.plot.clientWidth) return;
    this.drawing ??= echarts.init(this.plot, null, { renderer: "svg" });
    this.drawing.setOption(optionOf(this.shown, coloursAt(this)), { notMerge: true });
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", this.shown.summary);
  }
}

/** A chart document and the page's colours -> what ECharts draws. Pure: tested without a browser. */

import type { Colours } from "./colours";
import { type ChartDocument, hasDots, type Line, type Point, smoothed } from "./document";
import { moment, tick } from "./time";

const SHAPES = ["circle", "rect", "triangle", "diamond", "roundRect", "pin"];
const RAW_OPACITY = 0.38;

type Series = Record<string, unknown>;

function colourNumber(line: Line, index: number): number {
  return line.colour ?? (index % SHAPES.length) + 1;
}

function lastPoint(points: readonly Point[]): Point | undefined {
  return points.findLast(([, y]) => y !== null);
}

export function figure(value: number): string {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 4;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** The raw values thin and pale, their moving mean over them; a few points as they are, with rings. */
function seriesOf(line: Line, index: number, colours: Colours): Series[] {
  const number = colourNumber(line, index);
  const colour = colours(`s${number}`);
  const dots = hasDots(line);
  const averaged = line.smooth === true && !dots;
  const common: Series = {
    type: "line",
    name: line.name,
    color: colour,
    symbol: SHAPES[number - 1],
    step: line.kind === "step" ? "end" : false,
    connectNulls: false,
  };
  const main: Series = {
    ...common,
    data: averaged ? smoothed(line.points) : line.points,
    showSymbol: dots,
    symbolSize: 7,
    lineStyle: { width: averaged ? 2.25 : 2, color: colour, type: line.dashed ? "dashed" : "solid" },
    ...(line.kind === "area" ? { areaStyle: { color: colour, opacity: 0.28 } } : {}),
    endLabel: { show: false },
  };
  const end = lastPoint(averaged ? smoothed(line.points) : line.points);
  const latest: Series = {
    ...common,
    data: end ? [end] : [],
    symbolSize: 7,
    showSymbol: true,
    silent: true,
    tooltip: { show: false },
    label: {
      show: true,
      position: "right",
      color: colour,
      fontSize: 12,
      fontWeight: 600,
      formatter: () => figure(end?.[1] ?? 0),
    },
  };
  if (!averaged) return [main, latest];
  const raw = {
    ...common,
    data: line.points,
    showSymbol: false,
    silent: true,
    lineStyle: { width: 1, color: colour, opacity: RAW_OPACITY },
  };
  return [raw, main, latest];
}

function lineMarks(chart: ChartDocument, colours: Colours): Series {
  const goals = (chart.goals ?? []).map((goal) => ({
    yAxis: goal.value,
    lineStyle: { color: colours("ok"), type: "dashed", width: 1.5 },
    label: { formatter: goal.text, position: "insideStartTop", color: colours("ok"), fontSize: 12 },
  }));
  const marks = (chart.marks ?? []).map((mark) => ({
    xAxis: mark.at,
    lineStyle: { color: colours("await"), type: "solid", width: 1.5 },
    label: { formatter: mark.text, position: "insideEndTop", color: colours("await"), fontSize: 12 },
  }));
  return {
    type: "line",
    data: reach(chart),
    showSymbol: false,
    silent: true,
    lineStyle: { opacity: 0 },
    tooltip: { show: false },
    markLine: { silent: true, symbol: "none", animation: false, data: [...goals, ...marks] },
  };
}

/** Unseen points at the goals, so that the axis reaches them also when no value does. */
function reach(chart: ChartDocument): Point[] {
  const x = chart.lines.find((line) => line.points.length)?.points[0]?.[0];
  return x === undefined ? [] : (chart.goals ?? []).map((goal): Point => [x, goal.value]);
}

/** How it is drawn here: in which time zone, and in type of which family and size. */
export interface Look {
  zone: string;
  /** By its name: what would be inherited cannot be measured, and labels would overlap. */
  fontFamily: string;
  fontSize: number;
}

/** A time axis says whose time it is. */
function timeAxis(chart: ChartDocument, look: Look, text: Record<string, unknown>): Record<string, unknown> {
  const xs = chart.lines.flatMap((line) => line.points.map(([x]) => x));
  const span = xs.length ? Math.max(...xs) - Math.min(...xs) : 0;
  return {
    name: `${chart.x} (${look.zone})`,
    nameLocation: "middle",
    nameGap: 2 * look.fontSize + 2,
    nameTextStyle: text,
    axisLabel: { ...text, hideOverlap: true, formatter: (value: number) => tick(value, look.zone, span) },
    axisPointer: { label: { formatter: ({ value }: { value: number }) => moment(value, look.zone) } },
  };
}

/** Which line is which, where there are several; a press takes one away and brings it back. */
function key(chart: ChartDocument, colours: Colours, look: Look): Record<string, unknown> {
  const lines = [...new Map(chart.lines.map((line) => [line.name, line])).values()];
  return {
    show: lines.length > 1,
    data: lines.map((line) => (line.kind === "area" ? { name: line.name, icon: "rect" } : { name: line.name })),
    top: 0,
    left: 0,
    itemWidth: 22,
    itemHeight: 8,
    itemGap: 16,
    textStyle: { color: colours("ink-2"), fontSize: look.fontSize },
    inactiveColor: colours("field-line"),
  };
}

export function optionOf(chart: ChartDocument, colours: Colours, look: Look): Record<string, unknown> {
  const text = { color: colours("ink-2"), fontSize: look.fontSize };
  const legend = key(chart, colours, look);
  const rounded = (value: number) => figure(value);
  return {
    animation: false,
    aria: { enabled: true, label: { description: chart.summary } },
    textStyle: { fontFamily: look.fontFamily },
    legend,
    grid: {
      left: 8,
      right: 56,
      top: legend.show ? 2 * look.fontSize + 20 : 20,
      bottom: 4,
      outerBoundsMode: "same",
      outerBoundsContain: "all",
    },
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "shift" }],
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      backgroundColor: colours("surface"),
      borderColor: colours("field-line"),
      textStyle: { color: colours("ink"), fontSize: 12 },
      valueFormatter: (value: unknown) => (typeof value === "number" ? figure(value) : "—"),
    },
    xAxis: {
      type: chart.time ? "time" : "value",
      min: "dataMin",
      max: "dataMax",
      axisLine: { lineStyle: { color: colours("field-line") } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: { ...text, hideOverlap: true },
      ...(chart.time ? timeAxis(chart, look, text) : { minInterval: 1 }),
    },
    yAxis: {
      type: "value",
      scale: chart.zero !== true,
      splitLine: { lineStyle: { color: colours("line") } },
      axisLabel: { ...text, formatter: rounded },
    },
    series: [...chart.lines.flatMap((line, index) => seriesOf(line, index, colours)), lineMarks(chart, colours)],
  };
}

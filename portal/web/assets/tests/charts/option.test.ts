import { describe, expect, it } from "vitest";
import { type ChartDocument, read, smoothed } from "../../src/charts/document";
import { figure, optionOf } from "../../src/charts/option";

const colours = (name: string) => `colour-of-${name}`;
const chart: ChartDocument = { title: "reward", x: "Episode", y: "Reward", lines: [], summary: "Reward rose." };
const many = Array.from({ length: 100 }, (_, index): [number, number] => [index, index % 2]);

type Drawn = {
  legend: { show: boolean; data: { name: string }[] };
  series: { data: [number, number | null][]; name?: string; markLine?: { data: object[] } }[];
};
const look = { zone: "Asia/Seoul", fontFamily: "serif", fontSize: 12 };
const drawn = (given: Partial<ChartDocument>) => optionOf({ ...chart, ...given }, colours, look) as unknown as Drawn;

describe("a chart document", () => {
  it("is smoothed by the mean of the last values, and gaps stay gaps", () => {
    expect(
      smoothed([
        [1, 3],
        [2, null],
        [3, 6],
        [4, 9],
        [5, 12],
      ]),
    ).toEqual([
      [1, 3],
      [2, null],
      [3, 4.5],
      [4, 6],
      [5, 9],
    ]);
  });

  it("is null where the text is none", () => {
    expect(read("{")).toBeNull();
    expect(read("{}")).toBeNull();
    expect(read(JSON.stringify(chart))).toEqual(chart);
  });
});

describe("the drawing", () => {
  it("has the raw line, its mean and its latest value; without smoothing the line and the value", () => {
    const smooth = drawn({ lines: [{ name: "a", points: many, smooth: true }] }).series;
    expect(smooth.map((one) => one.data.length)).toEqual([100, 100, 1, 0]);
    expect(smooth[1]?.data[99]).not.toEqual(many[99]);
    expect(drawn({ lines: [{ name: "a", points: many }] }).series.map((one) => one.data.length)).toEqual([100, 1, 0]);
  });

  it("names its lines where there are several, each once", () => {
    const a = { name: "a", points: many, smooth: true };
    expect(drawn({ lines: [a] }).legend.show).toBe(false);
    expect(drawn({ lines: [a, { name: "b", points: many, kind: "area" }] }).legend).toMatchObject({
      show: true,
      data: [{ name: "a" }, { name: "b", icon: "rect" }],
    });
  });

  it("is not smoothed where points are few", () => {
    const points = many.slice(0, 10);
    expect(drawn({ lines: [{ name: "a", points, smooth: true }] }).series[0]?.data).toBe(points);
  });

  it("reaches a goal that no value does", () => {
    const axis = drawn({
      lines: [
        {
          name: "a",
          points: [
            [1, 10],
            [2, 20],
          ],
        },
      ],
      goals: [{ text: "Goal 90", value: 90 }],
    });
    expect(axis.series.at(-1)?.data).toEqual([[1, 90]]);
    expect(axis.series.at(-1)?.markLine?.data).toHaveLength(1);
  });

  it("never moves and says its summary", () => {
    expect(optionOf(chart, colours, look)).toMatchObject({
      animation: false,
      aria: { label: { description: "Reward rose." } },
    });
  });

  it("draws with no value at all", () => {
    const empty = drawn({ lines: [{ name: "a", points: [[1, null]] }] }).series;
    expect(empty[1]?.data).toEqual([]);
  });
});

it("figures have as many digits as they need", () => {
  expect([figure(12345.6), figure(93.25), figure(0.01874)]).toEqual(["12,346", "93.3", "0.0187"]);
});

import { describe, expect, it } from "vitest";
import type { ChartDocument } from "../../src/charts/document";
import { optionOf } from "../../src/charts/option";
import { moment, tick } from "../../src/charts/time";

const HOUR = 3_600_000;
const noon = Date.UTC(2026, 1, 9, 12, 0, 0);

describe("times on charts", () => {
  it("are in the zone that is given, not in the machine's", () => {
    expect(moment(noon, "Asia/Seoul")).toBe("2026-02-09 21:00");
    expect(moment(noon, "America/New_York")).toBe("2026-02-09 07:00");
    expect(moment(Date.UTC(2026, 6, 9, 12), "America/New_York")).toBe("2026-07-09 08:00");
  });

  it("say the day where it begins there, and everywhere on a long axis", () => {
    expect(tick(Date.UTC(2026, 1, 9, 15), "Asia/Seoul", 24 * HOUR)).toBe("02-10");
    expect(tick(noon, "Asia/Seoul", 24 * HOUR)).toBe("21:00");
    expect(tick(noon, "Asia/Seoul", 30 * 24 * HOUR)).toBe("02-09 21:00");
    expect(tick(noon + 5000, "UTC", HOUR)).toBe("12:00:05");
  });

  it("name the zone on the axis", () => {
    const line = { name: "a", points: [[noon, 1] as const, [noon + HOUR, 2] as const] };
    const chart: ChartDocument = { title: "t", x: "시간", y: "GPU", time: true, lines: [line], summary: "s" };
    const { xAxis } = optionOf(chart, (name) => name, { zone: "Asia/Seoul", fontFamily: "serif", fontSize: 12 }) as {
      xAxis: { name: string; axisLabel: { formatter: (value: number) => string } };
    };
    expect(xAxis.name).toBe("시간 (Asia/Seoul)");
    expect(xAxis.axisLabel.formatter(noon)).toBe("21:00");
  });
});

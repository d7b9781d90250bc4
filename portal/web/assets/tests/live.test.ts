import { describe, expect, it } from "vitest";
import { duration, streamAddress } from "../src/live/marks";
import { levelOf, linesOf, logHtml } from "../src/log/line";

describe("a live page", () => {
  it("goes on where the lost stream was", () => {
    expect(streamAddress(["workload:W-1:head"], "")).toBe("/events?topics=workload%3AW-1%3Ahead");
    const address = streamAddress(["a:b:c", "d:e:f"], "a:b=12,d:e=34");
    expect(new URL(address, "http://portal").searchParams.get("seen")).toBe("a:b=12,d:e=34");
  });

  it("writes a running time as the server does", () => {
    const written = [0, 59, 60, 3725, 90_061].map((seconds) => duration(seconds, true));
    expect(written).toEqual(["0초", "59초", "1분", "1시간 2분", "1일 1시간"]);
    expect(duration(3725, false)).toBe("1 h 2 min");
  });
});

describe("a line of a log", () => {
  it("has its colours as classes and everything else as text", () => {
    expect(logHtml("\x1b[31mred\x1b[0m <b>")).toBe('<span class="ansi-red-fg">red</span> &lt;b&gt;');
    expect(logHtml("\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07")).not.toContain("javascript");
  });

  it("is an error, a warning, or neither", () => {
    const levels = [
      "RuntimeError: x",
      "WARN: ring rebuilt",
      "error_rate=0.1",
      "3 errors",
      "Traceback (most recent",
    ].map(levelOf);
    expect(levels).toEqual(["error", "warn", "", "", "error"]);
  });

  it("is what a progress bar said last", () => {
    expect(linesOf("10%\r50%\r100%\nnext\r\n\nlast")).toEqual(["100%", "next", "", "last"]);
  });
});

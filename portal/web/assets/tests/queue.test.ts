import { describe, expect, it } from "vitest";
import { dropOn } from "../src/queue/place";

describe("dropping a row", () => {
  const moved = { id: "W-A", level: "normal" };

  it("goes before the row whose upper half it is dropped on, else after it", () => {
    const on = { id: "W-B", level: "normal" };
    expect(dropOn(moved, on, true)).toEqual({ before: "W-B", after: "", level: "" });
    expect(dropOn(moved, on, false)).toEqual({ before: "", after: "W-B", level: "" });
  });

  it("asks for the level of another one, and changes nothing on itself", () => {
    expect(dropOn(moved, { id: "W-C", level: "high" }, false)?.level).toBe("high");
    expect(dropOn(moved, moved, true)).toBeNull();
  });
});

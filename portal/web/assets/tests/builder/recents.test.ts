import { describe, expect, it } from "vitest";
import { MOST, readRecents, withRecent } from "../../src/builder/model/recents";

describe("recently placed components", () => {
  it("has the newest first and each once", () => {
    expect(["A", "B", "A"].reduce<string[]>(withRecent, [])).toEqual(["A", "B"]);
  });
  it("keeps a few", () => {
    const many = Array.from({ length: 9 }, (_, number) => `CL-${number}`);
    expect(many.reduce<string[]>(withRecent, [])).toEqual(many.slice(-MOST).reverse());
  });
  it.each([[null], ["{"], ['{"a": 1}'], ["[1, null]"]])("takes %s for nothing", (text) => {
    expect(readRecents(text)).toEqual([]);
  });
});

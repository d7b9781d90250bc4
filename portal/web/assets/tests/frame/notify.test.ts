import { describe, expect, it } from "vitest";
import { fresh } from "../../src/frame/notify";

interface Part {
  textContent: string;
}

/** As much of a line as `fresh` looks at. */
function line(id: number, texts: Record<string, string>) {
  return {
    dataset: { notice: String(id) },
    getAttribute: () => `/notifications/${id}`,
    querySelector: (selector: string) => {
      const text = texts[selector.replace("[data-notice-", "").replace("]", "")];
      return text === undefined ? null : { firstChild: { textContent: text } as Part };
    },
  };
}

describe("browser notifications", () => {
  const list = {
    querySelectorAll: () => [
      line(9, { title: "Failed", about: "design (W-1)", sentence: "out of memory" }),
      line(8, { title: "Role changed" }),
      line(3, { title: "Finished", about: "old" }),
    ],
  } as unknown as ParentNode;

  it("tells what this browser has not shown, oldest first", () => {
    expect(fresh(list, 3)).toEqual([
      { id: 8, head: "Role changed", body: "", href: "/notifications/8" },
      { id: 9, head: "Failed: design (W-1)", body: "out of memory", href: "/notifications/9" },
    ]);
  });

  it("tells nothing twice", () => {
    expect(fresh(list, 9)).toEqual([]);
  });
});

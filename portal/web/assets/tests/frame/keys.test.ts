import { expect, test } from "vitest";
import { PLACES } from "../../src/frame/keys";
import { next } from "../../src/frame/search";

test("the arrows go round the hits, and nowhere when there are none", () => {
  expect([next(3, -1, 1), next(3, 2, 1), next(3, 0, -1), next(3, 1, -1)]).toEqual([0, 0, 2, 0]);
  expect(next(0, -1, 1)).toBe(-1);
});

test("every chord leads to another page of the sidebar", () => {
  const paths = Object.values(PLACES);
  expect(new Set(paths).size).toBe(paths.length);
  expect(paths.every((path) => path.startsWith("/"))).toBe(true);
});

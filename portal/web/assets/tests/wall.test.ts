import { describe, expect, it } from "vitest";
import { Rotation } from "../src/wall/rotation";

const PANELS = ["summary", "nodes", "trends"];

describe("the wall's rotation", () => {
  it("goes on every twenty seconds, round and round", () => {
    const wall = new Rotation(PANELS, "summary", 20_000);
    const seen = [1000, 20_999, 21_000, 41_000, 61_000].map((now) => wall.look(now));
    expect(seen).toEqual(["summary", "summary", "nodes", "trends", "summary"]);
  });

  it("stays where it is while it is stopped, and then has its whole time", () => {
    const wall = new Rotation(PANELS, "nodes", 20_000);
    wall.look(1000);
    wall.isStopped = true;
    expect(wall.look(90_000)).toBe("nodes");
    wall.isStopped = false;
    expect(wall.look(109_999)).toBe("nodes");
    expect(wall.look(110_000)).toBe("trends");
  });

  it("begins with the first panel where the address names none of them, and goes back too", () => {
    const wall = new Rotation(PANELS, "else", 20_000);
    expect(wall.shown).toBe("summary");
    expect(wall.go(-1, 5)).toBe("trends");
  });
});

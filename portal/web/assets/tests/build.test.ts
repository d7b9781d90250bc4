import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  packages: Record<string, { version?: string }>;
};
const wanted = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, Record<string, string>>;

describe("package.json", () => {
  it("pins every package to the version of the lock file", () => {
    for (const group of ["dependencies", "devDependencies"]) {
      for (const [name, version] of Object.entries(wanted[group] ?? {})) {
        expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
      }
    }
  });
});

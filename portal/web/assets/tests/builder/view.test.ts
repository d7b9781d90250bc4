import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connect } from "../../src/builder/model/edit";
import { parseSpec } from "../../src/builder/model/jsontext";
import { escapeXml, previewSvg } from "../../src/builder/view/preview";
import { component, fixtures, SITE, small } from "./fixtures";

const COLOURS = {
  ground: "#fff",
  node: "#fff",
  line: "#ccc",
  edge: "#555",
  ink: "#000",
  meta: "#555",
  await: "#7d4b00",
};

describe("the workflow as SVG", () => {
  it.each(fixtures())("%s: a box a component, an arrow a connection, no style attribute", (_path, text) => {
    const parsed = parseSpec(text, "en");
    if ("problems" in parsed) throw new Error("not a spec");
    for (const task of parsed.spec.tasks) {
      const svg = previewSvg(task, SITE, "en", COLOURS);
      expect(svg.match(/<g /g) ?? []).toHaveLength(task.components.length);
      expect(svg.match(/marker-end/g) ?? []).toHaveLength((task.workflow ?? []).length);
      expect(svg).not.toMatch(/style=|NaN|undefined/);
    }
  });

  it("shows what needs an approval, and an empty Task too", () => {
    const large = component("A", { resources: { gpu_type: "A100", gpu_count: 4, memory: "1GB" } });
    const task = { task_id: "T", name: "t", components: [large] };
    expect(previewSvg(task, SITE, "ko", COLOURS)).toContain("승인 필요");
    expect(previewSvg({ ...task, components: [] }, SITE, "ko", COLOURS)).toMatch(/^<svg .*<\/svg>$/);
  });

  it("keeps hostile names as text", () => {
    const name = `"><script>alert(1)</script>&'\u0000\ud800`;
    const svg = previewSvg({ task_id: "T", name, components: [component("A", { name })] }, SITE, "en", COLOURS);
    for (const bad of ["<script", "\u0000", "\ud800"]) expect(svg.includes(bad)).toBe(false);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) =>
        ["<", ">", '"', "'", "\u0000", "\u001f"].every((char) => !escapeXml(text).includes(char)),
      ),
    );
  });

  it("draws connections that wait for the start dashed", () => {
    const outcome = connect(small(), "T1", "C", "D");
    if (outcome.refused) throw new Error("refused");
    const [task] = outcome.spec.tasks;
    if (!task) throw new Error("no Task");
    const started = { ...task, workflow: (task.workflow ?? []).map((edge) => ({ ...edge, when: "started" as const })) };
    expect(previewSvg(started, SITE, "en", COLOURS).match(/stroke-dasharray/g)).toHaveLength(3);
  });
});

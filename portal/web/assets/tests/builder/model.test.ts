import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  approvalReasons,
  memoryMib,
  memoryText,
  resourcesText,
  summary,
  tooLarge,
} from "../../src/builder/model/amounts";
import * as edit from "../../src/builder/model/edit";
import { connectRefusal, inOrder, stages } from "../../src/builder/model/graph";
import { begin, MOST_STEPS, redo, step, undo } from "../../src/builder/model/history";
import { parseSpec, specText } from "../../src/builder/model/jsontext";
import { arrange, corners, GRID, moved, NODE, placed } from "../../src/builder/model/layout";
import { pathParts, placeOf, spotOf } from "../../src/builder/model/place";
import { type AppSpec, edgesOf, nodeId, shapeProblem, taskOf } from "../../src/builder/model/spec";
import { say } from "../../src/builder/model/words";
import { component, ENTRY, fixtures, SITE, small } from "./fixtures";

function refusedWords(spec: AppSpec, from: string, to: string): string {
  const outcome = edit.connect(spec, "T1", from, to);
  return outcome.refused ? say("en", outcome.refused.word, outcome.refused.values) : "connected";
}

function task(spec: AppSpec, id = "T1") {
  const found = taskOf(spec, id);
  if (!found) throw new Error(`no Task ${id}`);
  return found;
}

describe("round trip", () => {
  it.each(fixtures())("%s comes back as it was, key order included", (_path, text) => {
    const parsed = parseSpec(text, "en");
    if ("problems" in parsed) throw new Error(parsed.problems[0]?.message);
    expect(JSON.stringify(parsed.spec)).toBe(JSON.stringify(JSON.parse(text)));
    expect(specText(parsed.spec)).toBe(JSON.stringify(JSON.parse(text), null, 2));
  });

  it.each(fixtures())("%s keeps every field that an edit does not name", (_path, text) => {
    const spec = JSON.parse(text) as AppSpec;
    const first = spec.tasks[0];
    const node = nodeId(first?.components[0] as never);
    const id = first?.task_id as string;
    const changed = edit.setResource(spec, id, node, "memory", "1GB");
    const expected = JSON.parse(text) as AppSpec;
    for (const one of expected.tasks[0]?.components.slice(0, 1) ?? []) one.resources.memory = "1GB";
    expect(JSON.stringify(changed)).toBe(JSON.stringify(expected));
    expect(JSON.stringify(spec)).toBe(JSON.stringify(JSON.parse(text)));
  });

  it("loses nothing of fields that no form shows", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.integer({ min: 0, max: 3 }), (params, at) => {
        const one = component("X", {
          params: params as never,
          ready: { port: "auto", timeout_s: 9 },
          service: true,
          retries: 2,
        });
        const base = small();
        const held = { ...base, tasks: [{ ...task(base), components: task(base).components.toSpliced(at, 0, one) }] };
        const text = JSON.stringify(held);
        const renamed = edit.changeComponent(held, "T1", "X", (old) => ({ ...old, name: "other" }));
        const back = edit.changeComponent(renamed, "T1", "X", (old) => ({ ...old, name: one.name }));
        expect(JSON.stringify(back)).toBe(text);
      }),
    );
  });

  it("gives the same JSON after any edits are undone", () => {
    const ids = ["A", "B", "C", "D"];
    const gesture = fc.tuple(
      fc.constantFrom("connect", "remove", "place", "paste", "task", "move"),
      fc.constantFrom(...ids),
      fc.constantFrom(...ids),
    );
    fc.assert(
      fc.property(fc.array(gesture, { maxLength: 30 }), (gestures) => {
        let history = begin(small());
        for (const [kind, a, b] of gestures) {
          const spec = history.present;
          const outcome = edit.connect(spec, "T1", a, b);
          const made: Record<string, () => AppSpec> = {
            connect: () => (outcome.refused ? spec : outcome.spec),
            remove: () => edit.removeNodes(spec, "T1", new Set([a])),
            place: () => edit.place(spec, "T1", ENTRY).spec,
            paste: () => edit.paste(spec, "T1", edit.copyNodes(spec, "T1", new Set([a, b]))).spec,
            task: () => edit.addTask(spec, a).spec,
            move: () => edit.moveTask(spec, "T1", 1),
          };
          history = step(history, made[kind]?.() ?? spec);
          const nodes = task(history.present).components.map(nodeId);
          expect(new Set(nodes).size).toBe(nodes.length);
          expect(stages(task(history.present)).size).toBe(nodes.length);
          for (const edge of edgesOf(task(history.present)))
            expect(nodes).toEqual(expect.arrayContaining([edge.from, edge.to]));
        }
        const last = JSON.stringify(history.present);
        const steps = history.past.length;
        for (let count = 0; count < steps; count += 1) history = undo(history);
        expect(JSON.stringify(history.present)).toBe(JSON.stringify(small()));
        for (let count = 0; count < steps; count += 1) history = redo(history);
        expect(JSON.stringify(history.present)).toBe(last);
      }),
    );
  });
});

describe("connections", () => {
  it("refuses a cycle, a loop and a duplicate in the words of the page", () => {
    expect(refusedWords(small(), "C", "A")).toBe("Cycle: c → a → b → c. The connection was not added.");
    expect(refusedWords(small(), "A", "A")).toBe("A component cannot connect to itself: a");
    expect(refusedWords(small(), "A", "B")).toBe("Already connected: a → b");
    expect(refusedWords(small(), "C", "D")).toBe("connected");
    const refusal = connectRefusal(task(small()), "B", "A");
    expect(refusal && say("ko", refusal.word, refusal.values)).toBe(
      "순환 참조입니다: b → a → b. 연결을 추가하지 않았습니다.",
    );
  });

  it("names ids where two components have one name", () => {
    const spec = edit.place(small(), "T1", ENTRY).spec;
    expect(refusedWords(spec, "A", "A")).toBe("A component cannot connect to itself: A");
  });

  it("sets predecessors and keeps what was written on a connection", () => {
    const started = edit.setWhen(small(), "T1", "B", "C", "started");
    const outcome = edit.setPredecessors(started, "T1", "C", ["B", "D"]);
    if (outcome.refused) throw new Error("refused");
    expect(task(outcome.spec).workflow).toEqual([
      { from: "A", to: "B" },
      { from: "B", to: "C", when: "started" },
      { from: "D", to: "C" },
    ]);
    expect(edit.setPredecessors(small(), "T1", "A", ["C"]).refused?.word).toBe("cycle");
  });

  it("counts stages and orders by them", () => {
    expect(Object.fromEntries(stages(task(small())))).toEqual({ A: 1, B: 2, C: 3, D: 1 });
    expect(inOrder(task(small()))).toEqual(["A", "D", "B", "C"]);
    const knot = { ...task(small()), workflow: [...edgesOf(task(small())), { from: "B", to: "A" }] };
    expect(Object.fromEntries(stages(knot))).toEqual({ D: 1 });
  });
});

describe("components", () => {
  it("keeps component_id when placed twice", () => {
    const once = edit.place(small(), "T1", ENTRY);
    const twice = edit.place(once.spec, "T1", ENTRY);
    expect([once.node, twice.node]).toEqual(["A-2", "A-3"]);
    const last = task(twice.spec).components.at(-1);
    expect([last?.component_id, last?.node_id, last?.component_version]).toEqual(["A", "A-3", "1.0"]);
    expect(edit.place(edit.removeNodes(small(), "T1", new Set(["A"])), "T1", ENTRY).node).toBe("A");
  });

  it("goes with its connections and takes them along when renamed", () => {
    expect(task(edit.removeNodes(small(), "T1", new Set(["B"]))).workflow).toEqual([]);
    const renamed = edit.changeComponent(small(), "T1", "B", (one) => ({ ...one, node_id: "B2" }));
    expect(task(renamed).workflow).toEqual([
      { from: "A", to: "B2" },
      { from: "B2", to: "C" },
    ]);
  });

  it("pastes a piece with its connections under new ids, also into another Task", () => {
    const piece = edit.copyNodes(small(), "T1", new Set(["A", "B"]));
    const here = edit.paste(small(), "T1", piece);
    expect(here.nodes).toEqual(["A-2", "B-2"]);
    expect(edgesOf(task(here.spec)).at(-1)).toEqual({ from: "A-2", to: "B-2" });
    const two = edit.addTask(small(), "second");
    const there = edit.paste(two.spec, two.taskId, piece);
    expect(there.nodes).toEqual(["A", "B"]);
    expect(task(there.spec, two.taskId).components[0]).not.toHaveProperty("node_id");
  });
});

describe("Tasks", () => {
  it("are added, named, moved, copied and deleted with what waits for them", () => {
    const { spec, taskId } = edit.addTask(small(), "second");
    expect(taskId).toBe("TASK-002");
    const waiting = edit.setAfter(spec, taskId, ["T1"]);
    expect(edit.followers(waiting, "T1").map((one) => one.task_id)).toEqual([taskId]);
    expect(edit.moveTask(waiting, taskId, -1).tasks.map((one) => one.task_id)).toEqual([taskId, "T1"]);
    expect(edit.moveTask(waiting, taskId, 1)).toBe(waiting);
    expect(task(edit.removeTask(waiting, "T1"), taskId).after).toEqual([]);
    expect(edit.duplicateTask(waiting, "T1", "copy").spec.tasks.map((one) => one.name)).toEqual([
      "first",
      "copy",
      "second",
    ]);
    expect(task(edit.renameTask(spec, taskId, "other"), taskId).name).toBe("other");
  });
});

describe("variables", () => {
  it("are read from pasted lines", () => {
    expect(edit.variableLines('A=1\nexport B="x y"\n# no\n\nC = a=b\nnonsense')).toEqual({
      entries: [
        ["A", "1"],
        ["B", "x y"],
        ["C", "a=b"],
      ],
      left: ["nonsense"],
    });
  });

  it("are refused when the platform sets them", () => {
    expect(edit.variableRefusal("SLURM_X", "")?.word).toBe("reserved_variable");
    expect(edit.variableRefusal("CUDA_VISIBLE_DEVICES", "0")?.word).toBe("reserved_cuda");
    expect(edit.variableRefusal("CUDA_VISIBLE_DEVICES", "all")).toBeNull();
    expect(edit.variableRefusal("1A", "")?.word).toBe("bad_variable");
  });
});

describe("amounts", () => {
  it("reads memory as slurm/units.py does", () => {
    expect(["64GB", "64G", "64GiB", "512MB", "1.5T", "1K", "x"].map(memoryMib)).toEqual([
      65536,
      65536,
      65536,
      512,
      1572864,
      1,
      null,
    ]);
    expect([memoryText(65536), memoryText(1536)]).toEqual(["64GB", "1536MB"]);
  });

  it("says what needs an approval, from equal counts on and per component", () => {
    const four = component("A", { resources: { gpu_type: "A100", gpu_count: 2, nodes: 2, memory: "64GB" } });
    expect(approvalReasons(four, SITE).map((one) => say("ko", one.word, one.values))).toEqual([
      "승인 필요: GPU 4 ≥ 임계치 4",
      "승인 필요: 메모리 128GB ≥ 임계치 128GB",
    ]);
    expect(approvalReasons(component("A"), SITE)).toEqual([]);
    const share = component("A", { resources: { gpu_type: "A100", gpu_shards: 3, memory: "16GB" } });
    expect(approvalReasons(share, { ...SITE, threshold_gpus: 1 })).toEqual([]);
    expect(summary(small(), SITE)).toMatchObject({ tasks: 1, components: 4, needsApproval: false });
  });

  it("says that no node is this large, and what the largest is", () => {
    const asked = component("A", { resources: { gpu_type: "A100", gpu_count: 9, memory: "1GB" } });
    const refusal = tooLarge(asked, SITE);
    expect(refusal && say("en", refusal.word, refusal.values)).toBe("No node is this large (max A100 x 8, 195GB)");
    expect(tooLarge(component("A", { resources: { gpu_type: "H100", gpu_count: 1, memory: "1GB" } }), SITE)?.word).toBe(
      "unknown_gpu",
    );
    expect(tooLarge(component("A"), SITE)).toBeNull();
    expect(tooLarge(asked, { ...SITE, nodes: [] })).toBeNull();
  });

  it("writes resources as lists do", () => {
    expect(resourcesText({ gpu_type: "A100", gpu_count: 4, memory: "128GB" }, SITE)).toBe("A100 x 4 · 128GB");
    expect(resourcesText({ gpu_type: "A100", gpu_shards: 2, memory: "16GB" }, SITE, ", ")).toBe("A100 2/4, 16GB");
    expect(resourcesText({ cpus: 8, memory: "32GB", nodes: 2 })).toBe("CPU x 8 · 32GB × 2");
  });
});

describe("layout", () => {
  it("leads lines from right to left sides: straight, by one step, or back between the rows", () => {
    const from = { x: 200, y: 100 };
    expect(corners(from, { x: 300, y: 100 })).toEqual([]);
    expect(corners(from, { x: 300, y: 160 })).toEqual([
      { x: 250, y: 100 },
      { x: 250, y: 160 },
    ]);
    const back = corners(from, { x: 20, y: 240 });
    expect(back.map((one) => one.y)).toEqual([100, 170, 170, 240]);
    expect(back[0]?.x).toBeGreaterThan(from.x);
    expect(back[3]?.x).toBeLessThan(20);
  });

  it("places left to right on the grid, nothing over anything, and keeps what is known", () => {
    const places = arrange(task(small()));
    const points = Object.values(places);
    expect(points.every(({ x, y }) => x % GRID === 0 && y % GRID === 0)).toBe(true);
    expect((places.B?.x ?? 0) - (places.A?.x ?? 0)).toBeGreaterThanOrEqual(NODE.width + 48);
    for (const [index, one] of points.entries()) {
      for (const other of points.slice(index + 1)) {
        expect(Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height).toBe(true);
      }
    }
    const known = moved({}, "T1", { A: { x: 0, y: 0 }, B: { x: 400, y: 0 }, C: { x: 800, y: 0 } });
    const all = placed(task(small()), known);
    expect(all.A).toEqual({ x: 0, y: 0 });
    expect(all.D?.x).toBeGreaterThan(800);
  });
});

describe("places of problems", () => {
  it("leads from a JSON path to the form", () => {
    expect(placeOf(small(), "$.tasks[0].components[1].resources.memory")).toEqual({
      tab: "task",
      task: "T1",
      node: "B",
      field: "resources.memory",
    });
    expect(placeOf(small(), "$.tasks[0].workflow[1]")).toEqual({
      tab: "task",
      task: "T1",
      node: "C",
      field: "predecessors",
    });
    expect(placeOf(small(), '$.env_vars["a b"]')).toEqual({ tab: "app", field: "env_vars.a b" });
    expect(placeOf(small(), "$.tasks[0].after[0]")).toEqual({ tab: "app", task: "T1", field: "after.0" });
    expect(pathParts('$.a["x\\"y"][3]')).toEqual(["a", 'x"y', 3]);
  });

  it("leads from a JSON path to line and column", () => {
    const text = specText(small());
    const line = text.split("\n").findIndex((one) => one.includes('"component_id": "B"')) + 1;
    expect(spotOf(text, "$.tasks[0].components[1].component_id")).toEqual({ line, column: 27 });
    expect(spotOf('{"a": [1, {"b" : "x,]" , "c":\n true}]}', "$.a[1].c")).toEqual({ line: 2, column: 2 });
    expect(spotOf('{"a": {"b": 1}}', "$.a.missing")).toEqual({ line: 1, column: 7 });
  });

  it("finds every value of any JSON", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.jsonValue()),
        fc.constantFrom(0, 2),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          for (const [key, inner] of Object.entries(value)) {
            const { line, column } = spotOf(text, `$.${key}`);
            const rest = text
              .split("\n")
              .slice(line - 1)
              .join("\n")
              .slice(column - 1);
            expect(rest.startsWith(JSON.stringify(inner, null, indent)[0] ?? "")).toBe(true);
          }
        },
      ),
    );
  });

  it("says where text is no JSON and where it is no spec", () => {
    const broken = parseSpec('{\n  "a": 1,\n  oops\n}', "en");
    expect("problems" in broken && broken.problems[0]?.line).toBe(3);
    const wrong = parseSpec('{"app_id": "A", "name": "n", "version": "1",\n"tasks": 3}', "en");
    expect("problems" in wrong && wrong.problems[0]).toEqual({
      line: 2,
      column: 10,
      message: "Line 2, column 10: $.tasks needs a value of type array.",
    });
  });

  it("refuses every shape that would break a view", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("tasks", "env_vars", "storage", "imported_apps"), (value, field) => {
        const spec = { ...small(), [field]: value };
        if (shapeProblem(spec) === null) expect(() => summary(spec as AppSpec, SITE)).not.toThrow();
      }),
    );
  });
});

describe("history", () => {
  it("joins typing in one field and forgets the oldest", () => {
    let history = begin("");
    for (const text of ["a", "ab", "abc"]) history = step(history, text, "name");
    history = step(history, "x", "other");
    expect(undo(history).present).toBe("abc");
    expect(undo(undo(history)).present).toBe("");
    for (let number = 0; number < MOST_STEPS * 2; number += 1) history = step(history, String(number));
    expect(history.past).toHaveLength(MOST_STEPS);
  });
});

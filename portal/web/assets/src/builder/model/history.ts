/** Undo and redo over whole states: states share what did not change, so 200 steps cost little. */

export const MOST_STEPS = 200;

export interface History<State> {
  past: readonly State[];
  present: State;
  future: readonly State[];
  /** What the last step was; typing in one field again and again is one step. */
  key: string;
}

export function begin<State>(state: State): History<State> {
  return { past: [], present: state, future: [], key: "" };
}

/** A step forward; the same non-empty `key` twice in a row joins the two. */
export function step<State>(history: History<State>, state: State, key = ""): History<State> {
  if (state === history.present) return history;
  if (key && key === history.key && history.future.length === 0) return { ...history, present: state };
  return { past: [...history.past, history.present].slice(-MOST_STEPS), present: state, future: [], key };
}

export function undo<State>(history: History<State>): History<State> {
  const before = history.past.at(-1);
  if (before === undefined) return history;
  return { past: history.past.slice(0, -1), present: before, future: [history.present, ...history.future], key: "" };
}

export function redo<State>(history: History<State>): History<State> {
  const [next, ...rest] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.present], present: next, future: rest, key: "" };
}

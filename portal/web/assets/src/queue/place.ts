/** Where a dragged row would go, told by the row that it is dropped on. */

export interface Target {
  id: string;
  level: string;
}

export interface Drop {
  before: string;
  after: string;
  /** The level to ask for first; "" inside the same level. */
  level: string;
}

/** Dropping `moved` on the upper or lower half of `on`; null where nothing would change. */
export function dropOn(moved: Target, on: Target, upper: boolean): Drop | null {
  if (moved.id === on.id) return null;
  return {
    before: upper ? on.id : "",
    after: upper ? "" : on.id,
    level: moved.level === on.level ? "" : on.level,
  };
}

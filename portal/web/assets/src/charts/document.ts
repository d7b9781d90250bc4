/** What a chart shows, as the server writes it (portal/web/charts.py), and the lines that are drawn of it. */

export type Point = readonly [number, number | null];

export interface Line {
  name: string;
  points: readonly Point[];
  /** 1 to 6: the colour --one-s1 … --one-s6, the same for a run or component on every page. */
  colour?: number;
  /** The moving mean is drawn over the raw values. */
  smooth?: boolean;
  /** "step" holds its value until the next point; "area" is filled. */
  kind?: "line" | "step" | "area";
  dashed?: boolean;
}

export interface ChartDocument {
  title: string;
  x: string;
  y: string;
  /** x are milliseconds since 1970. */
  time?: boolean;
  /** The y axis begins at 0. */
  zero?: boolean;
  lines: readonly Line[];
  goals?: readonly { text: string; value: number }[];
  marks?: readonly { text: string; at: number }[];
  /** One sentence for whoever does not see the drawing. */
  summary: string;
}

const MOST_DOTS = 20;
const WINDOW_SHARE = 0.05;

/** Few points are drawn with rings, and need no smoothing. */
export function hasDots(line: Line): boolean {
  return line.points.length <= MOST_DOTS;
}

/** The mean of the last 5 % of the points (at least three) at every point; gaps stay gaps. */
export function smoothed(points: readonly Point[]): Point[] {
  const width = Math.max(3, Math.round(points.length * WINDOW_SHARE));
  const held: number[] = [];
  let sum = 0;
  return points.map(([x, y]): Point => {
    if (y === null) return [x, null];
    held.push(y);
    sum += y;
    if (held.length > width) sum -= held.shift() ?? 0;
    return [x, sum / held.length];
  });
}

/** The document in an attribute; null for what is none. */
export function read(text: string): ChartDocument | null {
  try {
    const value = JSON.parse(text) as ChartDocument;
    return Array.isArray(value.lines) ? value : null;
  } catch {
    return null;
  }
}

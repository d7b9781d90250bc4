/** Which components somebody placed last, kept in this browser. */

export const MOST = 5;

/** The newest first, each once, no more than MOST. */
export function withRecent(ids: readonly string[], placed: string): string[] {
  return [placed, ...ids.filter((id) => id !== placed)].slice(0, MOST);
}

/** What was kept; anything else than a list of ids is nothing. */
export function readRecents(text: string | null): string[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter((id): id is string => typeof id === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** What a live page has seen, as the server's event ids say it: `workload:W-1=ab12,…`. */

/** Where a new stream goes on: the newest id of the old one. */
export function streamAddress(topics: readonly string[], seen: string): string {
  const query = new URLSearchParams({ topics: topics.join(",") });
  if (seen) query.set("seen", seen);
  return `/events?${query}`;
}

/** Seconds as the page's language writes a duration: two units at most. */
export function duration(seconds: number, korean: boolean): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string, string][] = [
    [Math.floor(whole / 86_400), "일", "d"],
    [Math.floor((whole % 86_400) / 3600), "시간", "h"],
    [Math.floor((whole % 3600) / 60), "분", "min"],
    [whole % 60, "초", "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  const shown = first < 0 ? parts.slice(3) : parts.slice(first, first + 2).filter(([value]) => value > 0);
  return shown.map(([value, ko, en]) => (korean ? `${value}${ko}` : `${value} ${en}`)).join(" ");
}

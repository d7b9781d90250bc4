/** Times on axes and in tables: in the zone that the person chose, else the browser's own. */

const DAY_MS = 24 * 3600 * 1000;

/** The person's choice (on <body>), else the browser's; a choice that this browser does not know is the browser's too. */
export function zoneHere(): string {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const chosen = document.body.dataset.zone;
  try {
    return chosen ? Intl.DateTimeFormat("en", { timeZone: chosen }).resolvedOptions().timeZone : own;
  } catch {
    return own;
  }
}

function parts(ms: number, zone: string): { day: string; clock: string; second: string } {
  const wish: Intl.DateTimeFormatOptions = {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  };
  const found = new Map(
    new Intl.DateTimeFormat("en-GB", wish).formatToParts(ms).map(({ type, value }) => [type, value] as const),
  );
  const of = (name: Intl.DateTimeFormatPartTypes) => found.get(name) ?? "";
  return {
    day: `${of("year")}-${of("month")}-${of("day")}`,
    clock: `${of("hour")}:${of("minute")}`,
    second: of("second"),
  };
}

/** `2026-02-09 14:30`, as everywhere on the pages. */
export function moment(ms: number, zone: string): string {
  const { day, clock } = parts(ms, zone);
  return `${day} ${clock}`;
}

/** Of a tick: the clock within a day or so, with the day where it begins; the day alone where the axis is long. */
export function tick(ms: number, zone: string, spanMs: number): string {
  const { day, clock, second } = parts(ms, zone);
  const short = day.slice(5);
  if (spanMs > 2 * DAY_MS) return clock === "00:00" ? short : `${short} ${clock}`;
  if (clock === "00:00") return short;
  return second === "00" ? clock : `${clock}:${second}`;
}

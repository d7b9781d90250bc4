/** Turns the ANSI colours of a log line into class names (never inline styles, which the CSP refuses). */

import { AnsiUp } from "ansi_up";

export function logHtml(text: string): string {
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  return ansi.ansi_to_html(text);
}

/** One line of a log as HTML: colours from ANSI codes as class names, everything else as text. */

import { AnsiUp } from "ansi_up";

const ERROR = /(error|exception|traceback|fatal|critical)\b/i;
const WARNING = /\bwarn(ing)?\b/i;

export function logHtml(text: string): string {
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  return ansi.ansi_to_html(text);
}

export function levelOf(text: string): "error" | "warn" | "" {
  if (ERROR.test(text)) return "error";
  return WARNING.test(text) ? "warn" : "";
}

/** Lines of a piece of text; the last one may go on with the next piece. A carriage return begins a line anew. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => line.slice(line.replace(/\r$/, "").lastIndexOf("\r") + 1).replace(/\r$/, ""));
}

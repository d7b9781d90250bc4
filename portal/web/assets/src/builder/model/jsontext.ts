/** The JSON view's two ways: spec to text, and text to spec or to the reasons why it is not applied. */

import { type Spot, spotAt, spotOf } from "./place";
import { type AppSpec, shapeProblem } from "./spec";
import { type Language, say } from "./words";

export interface TextProblem extends Spot {
  message: string;
}

export function specText(spec: AppSpec): string {
  return JSON.stringify(spec, null, 2);
}

export function parseSpec(text: string, language: Language): { spec: AppSpec } | { problems: TextProblem[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const spot = syntaxSpot(text, error as SyntaxError);
    return { problems: [{ ...spot, message: say(language, "not_json", { ...spot }) }] };
  }
  const wrong = shapeProblem(value);
  if (wrong) {
    const spot = spotOf(text, wrong.path);
    return { problems: [{ ...spot, message: say(language, "wrong_shape", { ...spot, ...wrong }) }] };
  }
  return { spec: value as AppSpec };
}

/** Engines say "position 12", "line 2 column 3", or quote a piece of the text; the end of the text when they say nothing. */
function syntaxSpot(text: string, error: SyntaxError): Spot {
  const position = /position (\d+)/.exec(error.message);
  if (position) return spotAt(text, Number(position[1]));
  const spot = /line (\d+) column (\d+)/.exec(error.message);
  if (spot) return { line: Number(spot[1]), column: Number(spot[2]) };
  return spotAt(text, text.length);
}

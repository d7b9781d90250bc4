/** What every page loads: htmx with SSE and idiomorph, Alpine without eval, and what the frame's own parts do. */

import Alpine from "@alpinejs/csp";
import htmx from "htmx.org";
import "htmx-ext-sse";
import { Idiomorph } from "idiomorph/htmx";
import { startFrame } from "../frame/frame";
import { watchLive } from "../live/stream";

// The CSP allows neither eval nor inline styles: without these two, htmx would ask for both.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
// What is being typed is newer than any answer.
Idiomorph.defaults.ignoreActiveValue = true;

declare global {
  interface Window {
    htmx: typeof htmx;
    Alpine: typeof Alpine;
  }
}
window.htmx = htmx;
window.Alpine = Alpine;
startFrame();
watchLive();
Alpine.start();

/** What every page loads: htmx with SSE and idiomorph, Alpine without eval, and Bootstrap's parts as Tabler ships them. */

import "@tabler/core/dist/js/tabler.esm.min.js";
import Alpine from "@alpinejs/csp";
import htmx from "htmx.org";
import "htmx-ext-sse";
import "idiomorph/htmx";

// The CSP allows neither eval nor inline styles: without these two, htmx would ask for both.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;

declare global {
  interface Window {
    htmx: typeof htmx;
    Alpine: typeof Alpine;
  }
}
window.htmx = htmx;
window.Alpine = Alpine;
Alpine.start();

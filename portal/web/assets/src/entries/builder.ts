/** The Builder's page: reads what the server put into it and starts. */

import { type Builder, start } from "../builder/view/page";
import type { PageData } from "../builder/view/store";

declare global {
  interface Window {
    /** For tests and measurements. */
    oneBuilder?: Builder;
  }
}

const root = document.getElementById("builder");
const data = root?.dataset.builder;
if (root && data) window.oneBuilder = start(root, JSON.parse(data) as PageData);

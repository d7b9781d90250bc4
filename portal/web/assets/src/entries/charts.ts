/** What a page with charts loads: the element <one-chart>. */

import { OneChart } from "../charts/element";

customElements.define("one-chart", OneChart);

/** What the log tab loads: the element <one-log>. */

import { OneLog } from "../log/element";

customElements.define("one-log", OneLog);

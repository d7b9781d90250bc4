/** The queue page: moving rows by keys and by dragging, and asking across levels; its rows are live as all others (src/live). */

import { startMoving } from "../queue/moving";

startMoving();

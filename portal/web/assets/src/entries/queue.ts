/** The queue page: moving rows by keys and by dragging, asking across levels, and live refresh that moves nothing under the hand. */

import { startMoving } from "../queue/moving";
import { startRefreshing } from "../queue/refresh";

startMoving();
startRefreshing();

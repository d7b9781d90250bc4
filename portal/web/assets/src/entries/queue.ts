/** The queue page: moving rows by keys and by dragging, asking across levels, and live refresh that moves nothing under the hand. */

import { startLive } from "../queue/live";
import { startMoving } from "../queue/moving";

startMoving();
startLive();

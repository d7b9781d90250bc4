/** The wall's page. */

import { Wall } from "../wall/wall";

const root = document.querySelector<HTMLElement>(".wall");
if (root) new Wall(root).start();

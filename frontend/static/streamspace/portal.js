// The portal's entry module. Every part also works without it, less comfortably.
import { startClock } from "./clock.js";
import { startConfirm } from "./confirm.js";
import { startForms } from "./forms.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startSwaps } from "./swaps.js";
import { startTheme } from "./theme-switch.js";
import { startToasts } from "./toasts.js";

startTheme();
startMenus();
startClock();
startToasts();
startForms();
startConfirm();
startSwaps();
startLive();

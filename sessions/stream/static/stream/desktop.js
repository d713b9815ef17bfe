/* The desktop's page: connects the parts. */

import { byId, config } from "./config.js";
import { Clipboard } from "./clipboard.js";
import { IdleBanner } from "./idle.js";
import { Keys } from "./keys.js";
import { Overlay } from "./overlay.js";
import { Picture } from "./picture.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Title } from "./title.js";
import { Toolbar } from "./toolbar.js";
import { TouchKeyboard, touchScreen } from "./touch.js";
import { onWakeup } from "./wakeup.js";

const store = new Store(config.initial);
const status = new Status(store);
const picture = new Picture(store);

function focusPicture() {
  if (!picture.connected || touchScreen()) return picture.connected;
  picture.focus();
  return true;
}

/** The server sees this input by itself; it is noted for the idle banner, at most once a second. */
function noteInput() {
  const now = Date.now();
  if (now - store.state.inputAt > 1000) store.set({ inputAt: now });
}

const toolbar = new Toolbar(store, {
  onclose: focusPicture,
  onhibernate: () => status.ask("hibernate"),
});
new Overlay(store, {
  wake: () => status.ask("wake"),
  hibernate: () => status.ask("hibernate"),
  retry: () => {
    picture.retryNow();
    if (store.state.status !== "open") status.restart();
  },
}, () => {
  if (!toolbar.isOpen) focusPicture();
});
new IdleBanner(store, () => {
  status.ask("extend");
  focusPicture();
});
new Title(store);
new Clipboard(picture);
if (!config.viewOnly) {
  new TouchKeyboard(new Keys(picture), picture, () => toolbar.close(false));
  const scaling = byId("scaling");
  const sharp = scaling.querySelector("[value=sharp]");
  sharp.hidden = sharp.disabled = !(window.devicePixelRatio > 1);
  scaling.value = picture.scaling;
  scaling.addEventListener("change", () => { picture.scaling = scaling.value; });
}
const quality = byId("quality");
quality.value = picture.quality;
quality.addEventListener("change", () => { picture.quality = quality.value; });

if (!config.viewOnly) {
  for (const type of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    byId("stage").addEventListener(type, (event) => {
      if (event.isTrusted && picture.connected) noteInput();
    }, { capture: true, passive: true });
  }
}
picture.addEventListener("connected", () => {
  if (!toolbar.isOpen) focusPicture();
});
store.subscribe(() => (store.running ? picture.start() : picture.stop()));
onWakeup(() => {
  status.restart();
  picture.restart();
});
status.start();
document.documentElement.dataset.ready = "yes";

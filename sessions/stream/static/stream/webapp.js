/* A web application's page: the application in a frame of the same origin, which fills the tab.

   The frame exists only while the session runs: what has hibernated must not look alive. */

import { byId, config } from "./config.js";
import { el } from "./dom.js";
import { FrameWatch } from "./frames.js";
import { IdleBanner } from "./idle.js";
import { Overlay } from "./overlay.js";
import { Retry } from "./retry.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Title } from "./title.js";
import { Toolbar } from "./toolbar.js";
import { onWakeup } from "./wakeup.js";

const REPORT_MS = 5000;
const NOTE_AFTER_MS = 2500; // a reconnect that is quicker is nobody's business

const store = new Store(config.initial);
const status = new Status(store);
const title = new Title(store);
const icon = byId("icon");
const ownIcon = icon.href;
let frame = null;
let watch = null;
let reported = 0;
let noteTimer = 0;
const retry = new Retry(load, (retryAt) => store.set({
  link: { phase: "waiting", retryAt, reason: "The application does not answer yet. It is tried again by itself." },
}));

function focusFrame() {
  frame?.focus();
  return Boolean(frame);
}

/** Tell the server of input, at most once in five seconds; what did not reach it is told next time. */
function report() {
  if (config.viewOnly) return;
  const now = Date.now();
  store.set({ inputAt: now });
  if (now - reported < REPORT_MS) return;
  if (status.send("input")) reported = now;
}

function load() {
  unload();
  store.set({ link: { phase: "connecting", step: "Loading the application" } });
  frame = el("iframe", {
    className: "app", title: store.state.session.display_name,
    allow: "clipboard-read; clipboard-write; fullscreen", src: config.path,
  });
  watch = new FrameWatch(frame, report, (inner) => toolbar.watch(inner));
  const mine = frame;
  frame.addEventListener("load", () => mine === frame && loaded());
  byId("stage").replaceChildren(frame);
}

function unload() {
  watch?.stop();
  frame?.remove();
  frame = watch = null;
  title.name = "";
  icon.href = ownIcon;
}

function loaded() {
  if (unreachable()) {
    retry.failed();
    return;
  }
  retry.succeeded();
  watch.look();
  const first = store.state.link.phase !== "connected";
  store.set({ link: { phase: "connected" } });
  follow();
  if (first && !toolbar.isOpen) focusFrame();
}

/** Whether the frame shows the server's own words instead of the application. */
function unreachable() {
  return inside((page) => {
    const [navigation] = page.defaultView.performance.getEntriesByType("navigation");
    return "streamspaceMessage" in page.body.dataset || [502, 503, 504].includes(navigation?.responseStatus);
  });
}

/** Title and icon of the tab are the application's. */
function follow() {
  title.name = inside((page) => page.title) || "";
  const href = inside((page) => page.querySelector("link[rel~='icon'][href]")?.href) || ownIcon;
  if (icon.href !== href) icon.href = href;
}

function inside(read) {
  try {
    return frame?.contentDocument && read(frame.contentDocument);
  } catch {
    return null; // it went to another origin
  }
}

const toolbar = new Toolbar(store, {
  onclose: focusFrame,
  onhibernate: () => status.ask("hibernate"),
});
new Overlay(store, {
  wake: () => status.ask("wake"),
  hibernate: () => status.ask("hibernate"),
  retry: () => retry.now(),
}, () => {
  if (!toolbar.isOpen) focusFrame();
});
new IdleBanner(store, () => {
  status.ask("extend");
  focusFrame();
});

store.subscribe(({ status: socket }) => {
  if (store.running && !frame && !retry.waiting) load();
  if (!store.running && (frame || retry.waiting)) {
    retry.stop();
    unload();
    store.set({ link: { phase: "off" } });
  }
  if (socket === "open") {
    clearTimeout(noteTimer);
    noteTimer = 0;
    byId("link-note").hidden = true;
  } else if (!noteTimer) {
    noteTimer = setTimeout(() => {
      byId("link-note").textContent = "The connection is lost and is tried again by itself.";
      byId("link-note").hidden = !store.running;
    }, NOTE_AFTER_MS);
  }
});
// Closing the panel by a press into the frame: the press itself may be in a page of another origin.
window.addEventListener("blur", () => {
  if (document.activeElement === frame) toolbar.close(false);
});
setInterval(follow, 1000);
onWakeup(() => status.restart());
status.start();
document.documentElement.dataset.ready = "yes";

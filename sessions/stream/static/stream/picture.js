/* The desktop's picture: one RFB connection that comes back by itself.

   `start()` and `stop()` follow the session's state. While the connection is away the last picture
   stays, as a still, for the overlay to dim; `stop()` removes it, so a session that does not run
   never looks alive. Sizes: the desktop follows the window where server and role allow it, and is
   scaled into it where they do not. */

import { byId, config, recall, remember, socketUrl } from "./config.js";
import { probe, verdict } from "./access.js";
import { Retry } from "./retry.js";
import { SizedRFB } from "./sized-rfb.js";
import { refuse } from "./status.js";

const HANDSHAKE_MS = 15000;
const LEAST_WIDTH = 640; // below it desktop programs lose their buttons; phones have the pixels
const QUALITIES = { high: [8, 2], medium: [6, 4], low: [2, 7] };
const NOT_RUNNING = 4409;
const REASONS = {
  1001: "The server is restarting. Nothing in the session is lost.",
  1011: "The desktop stopped answering. It is tried again by itself.",
  4409: "It is not running at the moment.",
};

export class Picture extends EventTarget {
  #store;
  #rfb = null;
  #socket = null;
  #hanging = 0;
  #wanted = false;
  #focusOnPress = true;
  #retry;

  constructor(store) {
    super();
    this.#store = store;
    this.#retry = new Retry(
      () => this.#connect(),
      (retryAt) => this.#link({ phase: "waiting", retryAt }),
    );
    // A screen of another density, or a phone that was turned.
    window.addEventListener("resize", () => this.#setDensity());
    // A key that is let go after the focus has gone to the menu would stay down in the session.
    // noVNC lets go of all keys when the window loses the focus, so that is what it is told.
    byId("screen").addEventListener("focusout", () => window.dispatchEvent(new Event("blur")));
  }

  get connected() {
    return this.#store.state.link.phase === "connected";
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#store.set({ link: { phase: "connecting" } });
    this.#retry.succeeded();
    this.#connect();
  }

  stop() {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#retry.stop();
    this.#drop();
    this.#hideStill();
    this.#store.set({ link: { phase: "off" } });
  }

  /** Try now instead of at the next turn. */
  retryNow() {
    if (this.#wanted && !this.#rfb) this.#retry.now();
  }

  /** Make the connection anew although it looks open: after sleep it may be dead. */
  restart() {
    if (!this.#wanted) return;
    this.#keepStill();
    this.#drop();
    this.#retry.now();
  }

  focus() {
    this.#rfb?.focus({ preventScroll: true });
  }

  get focused() {
    return byId("screen").contains(document.activeElement);
  }

  /** Whether a press on the picture takes the focus. Not while the on-screen keyboard has it. */
  set focusOnPress(on) {
    this.#focusOnPress = on;
    if (this.#rfb) this.#rfb.focusOnClick = on;
  }

  sendKey(keysym, code, down) {
    this.#rfb?.sendKey(keysym, code, down);
  }

  sendCtrlAltDel() {
    this.#rfb?.sendCtrlAltDel();
  }

  paste(text) {
    if (!this.connected) return false;
    this.#rfb.clipboardPasteFrom(text);
    return true;
  }

  get scaling() {
    return recall("scaling", "resize");
  }

  set scaling(mode) {
    remember("scaling", mode);
    this.#applyScaling();
  }

  get quality() {
    const chosen = recall("quality", "high");
    return chosen in QUALITIES ? chosen : "high";
  }

  set quality(name) {
    remember("quality", name);
    this.#applyQuality();
  }

  #link(changes) {
    this.#store.set({ link: { ...this.#store.state.link, ...changes } });
  }

  #connect() {
    if (!this.#wanted || this.#rfb) return;
    this.#link({ phase: "connecting", step: "Opening the connection", retryAt: null });
    const socket = new WebSocket(socketUrl("rfb"), ["binary"]);
    let opened = false;
    this.#socket = socket;
    this.#hanging = setTimeout(() => this.#ended(socket, 0, opened), HANDSHAKE_MS);
    socket.addEventListener("open", () => {
      opened = true;
      if (socket === this.#socket) this.#link({ step: "Waiting for the desktop's picture" });
    });
    // Registered before noVNC's own listener, which takes the canvas away.
    socket.addEventListener("close", (event) => this.#ended(socket, event.code, opened));
    const rfb = new SizedRFB(byId("screen"), socket, { shared: true });
    this.#rfb = rfb;
    rfb.viewOnly = config.viewOnly;
    rfb.background = "var(--surface-sunken)";
    rfb.focusOnClick = this.#focusOnPress;
    rfb.scaleViewport = true;
    this.#applyScaling();
    this.#applyQuality();
    rfb.addEventListener("connect", () => this.#opened(socket));
    // A fault that noVNC found itself; the socket's own close may take long to come.
    rfb.addEventListener("disconnect", () => this.#ended(socket, 0, opened));
    rfb.addEventListener("securityfailure", () => this.#ended(socket, 0, opened));
    rfb.addEventListener("clipboard", (event) => {
      this.dispatchEvent(new CustomEvent("copied", { detail: event.detail.text }));
    });
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#hanging);
    this.#retry.succeeded();
    this.#hideStill();
    this.#store.set({ link: { phase: "connected" } });
    this.dispatchEvent(new Event("connected"));
  }

  async #ended(socket, code, opened) {
    if (socket !== this.#socket) return; // given up already
    const used = this.connected;
    if (code === NOT_RUNNING) this.#hideStill();
    else this.#keepStill();
    this.#drop();
    this.#link({ reason: REASONS[code] ?? null, dim: !byId("still").hidden });
    this.#retry.failed();
    const refused = code === 1006 && !opened && this.#retry.failures > 1;
    const reason = verdict(code) ?? (refused ? await probe() : null);
    if (reason) refuse(this.#store, reason, used);
  }

  #drop() {
    clearTimeout(this.#hanging);
    const rfb = this.#rfb;
    this.#rfb = this.#socket = null;
    this.dispatchEvent(new Event("disconnected"));
    try {
      rfb?.disconnect();
    } catch {
      // noVNC had not finished connecting; its socket is closed all the same.
    }
  }

  #applyScaling() {
    const rfb = this.#rfb;
    if (!rfb) return;
    this.#setDensity();
    rfb.resizeSession = this.scaling !== "scale" && !config.viewOnly;
  }

  #setDensity() {
    const rfb = this.#rfb;
    if (!rfb) return;
    const screen = window.devicePixelRatio || 1;
    const needed = Math.max(1, LEAST_WIDTH / byId("screen").clientWidth);
    rfb.density = this.scaling === "sharp" ? screen : Math.min(screen, needed);
  }

  #applyQuality() {
    if (!this.#rfb) return;
    [this.#rfb.qualityLevel, this.#rfb.compressionLevel] = QUALITIES[this.quality];
  }

  #keepStill() {
    const canvas = byId("screen").querySelector("canvas");
    if (!canvas?.width || !canvas.height || !this.connected) return;
    const still = byId("still");
    still.width = canvas.width;
    still.height = canvas.height;
    still.getContext("2d").drawImage(canvas, 0, 0);
    still.hidden = false;
  }

  #hideStill() {
    const still = byId("still");
    still.hidden = true;
    still.width = still.height = 0;
  }
}

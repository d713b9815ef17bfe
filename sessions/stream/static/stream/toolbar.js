/* The handle at the edge and its panel.

   It takes no key from the session except one chord that no program uses by itself: Ctrl, Alt and
   Shift pressed and let go without another key. A desktop swallows Tab, so without the chord
   nobody could reach the panel by keyboard. */

import { byId, config } from "./config.js";
import { roundTrip } from "./access.js";

const MEASURE_MS = 4000;
const SLOW_MS = 200;
const LABELS = {
  starting: "Starting", waking: "Waking", running: "Running", hibernating: "Hibernating",
  hibernated: "Hibernated", failed: "Failed", terminating: "Terminating", terminated: "Terminated",
};
const ROLES = { owner: "", control: "Shared with you", view: "View only" };

export class Toolbar {
  #store;
  #onclose;
  #panel = byId("panel");
  #handle = byId("handle");
  #chord = false;
  #measuring = 0;

  /** `onclose`: give the focus back to the picture. `onhibernate`: ask for it. */
  constructor(store, { onclose, onhibernate }) {
    this.#store = store;
    this.#onclose = onclose;
    this.#handle.addEventListener("click", () => this.toggle());
    byId("panel-close").addEventListener("click", () => this.close());
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.watch(window);
    window.addEventListener("blur", (event) => {
      if (event.isTrusted) this.#chord = false;
    });
    this.#fullScreen();
    if (config.owner) this.#hibernation(onhibernate);
    store.subscribe((state) => this.#update(state));
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** Close on presses, and open on the chord, in a window: this one, or a frame's. */
  watch(target) {
    target.addEventListener("pointerdown", (event) => {
      if (this.isOpen && !this.#panel.contains(event.target) && !this.#handle.contains(event.target)) {
        this.close(false);
      }
    }, { capture: true, passive: true });
    target.addEventListener("keydown", (event) => {
      const modifier = ["Control", "Alt", "Shift", "Meta"].includes(event.key);
      const all = event.ctrlKey && event.altKey && event.shiftKey;
      this.#chord = modifier && (all || this.#chord);
    }, { capture: true, passive: true });
    target.addEventListener("keyup", (event) => {
      // Only once all are up: a key that goes up elsewhere would stay down in the session.
      if (!this.#chord || event.ctrlKey || event.altKey || event.shiftKey) return;
      this.#chord = false;
      this.toggle();
    }, { capture: true, passive: true });
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  open() {
    this.#panel.hidden = false;
    this.#handle.setAttribute("aria-expanded", "true");
    document.body.classList.add("panel-open");
    byId("panel-close").focus();
    this.#measure();
    this.#measuring = setInterval(() => this.#measure(), MEASURE_MS);
  }

  /** `refocus`: false when a press elsewhere has already said where the focus goes. */
  close(refocus = true) {
    if (!this.isOpen) return;
    clearInterval(this.#measuring);
    this.#panel.hidden = true;
    this.#handle.setAttribute("aria-expanded", "false");
    document.body.classList.remove("panel-open");
    if (config.owner) byId("hibernate-confirm").hidden = true;
    if (refocus && !this.#onclose()) this.#handle.focus();
  }

  #update({ session, link, access }) {
    byId("panel-name").textContent = session.display_name;
    const state = byId("panel-state");
    state.textContent = access ? "Not connected" : LABELS[session.display_state];
    state.dataset.state = access ? "" : session.display_state;
    byId("panel-role").textContent = ROLES[session.role ?? config.role] ?? "";
    const usable = config.kind !== "rfb" || (link.phase === "connected" && !access);
    byId("touch-keyboard")?.classList.toggle("unusable", !usable);
    for (const section of this.#panel.querySelectorAll("section")) section.hidden = !usable;
    if (!config.owner) return;
    const can = session.actions.includes("hibernate") && !access;
    byId("hibernate").hidden = !can || !byId("hibernate-confirm").hidden;
    if (!can) byId("hibernate-confirm").hidden = true;
  }

  #hibernation(onhibernate) {
    const button = byId("hibernate");
    const ask = (open) => {
      byId("hibernate-confirm").hidden = !open;
      button.hidden = open;
      (open ? byId("hibernate-no") : button).focus();
    };
    button.addEventListener("click", () => ask(true));
    byId("hibernate-no").addEventListener("click", () => ask(false));
    byId("hibernate-yes").addEventListener("click", () => {
      onhibernate();
      this.close();
    });
  }

  #fullScreen() {
    const root = document.documentElement;
    const button = byId("fullscreen");
    const request = root.requestFullscreen ?? root.webkitRequestFullscreen;
    const active = () => document.fullscreenElement ?? document.webkitFullscreenElement;
    button.hidden = !request; // iPhones have none
    button.addEventListener("click", async () => {
      if (active()) {
        (document.exitFullscreen ?? document.webkitExitFullscreen).call(document);
      } else {
        this.close();
        try {
          await request.call(root, { navigationUI: "hide" });
          // Where it exists, Ctrl+W, Alt+Tab and Esc reach the session (hold Esc to leave).
          await navigator.keyboard?.lock?.();
        } catch {
          // Refused by the browser or its owner; the button simply stays as it was.
        }
      }
    });
    const changed = () => {
      const on = Boolean(active());
      button.setAttribute("aria-pressed", String(on));
      button.querySelector("span").textContent = on ? "Leave full screen" : "Full screen";
      if (!on) navigator.keyboard?.unlock?.();
    };
    document.addEventListener("fullscreenchange", changed);
    document.addEventListener("webkitfullscreenchange", changed);
  }

  /** The note on the connection, measured only while somebody looks at it. */
  async #measure() {
    const ms = await roundTrip(MEASURE_MS);
    byId("connection").textContent = ms === null
      ? "The server does not answer"
      : `Connection ${ms > SLOW_MS ? "slow" : "good"}, ${Math.max(1, Math.round(ms))} ms`;
  }
}

/* Keys that a touch screen lacks or that the browser keeps for itself.

   Ctrl, Alt and Super stay down after a tap, until the next key has been typed or they are tapped
   again: one tap on Ctrl and a letter make Ctrl+letter. */

import { byId } from "./config.js";
import { el } from "./dom.js";

const STICKY = [
  { label: "Ctrl", keysym: 0xffe3, code: "ControlLeft" },
  { label: "Alt", keysym: 0xffe9, code: "AltLeft" },
  { label: "Super", keysym: 0xffeb, code: "MetaLeft" },
];
const PLAIN = [
  { label: "Esc", keysym: 0xff1b, code: "Escape" },
  { label: "Tab", keysym: 0xff09, code: "Tab" },
];
const ARROWS = [
  { label: "←", name: "Left", keysym: 0xff51, code: "ArrowLeft" },
  { label: "↑", name: "Up", keysym: 0xff52, code: "ArrowUp" },
  { label: "↓", name: "Down", keysym: 0xff54, code: "ArrowDown" },
  { label: "→", name: "Right", keysym: 0xff53, code: "ArrowRight" },
];
const MODIFIERS = /^(Control|Alt|Shift|Meta|OS|CapsLock|NumLock)/;

export class Keys {
  #picture;
  #down = new Set();

  constructor(picture) {
    this.#picture = picture;
    byId("keys").append(
      ...[...PLAIN, ...STICKY].map((key) => this.#button(key)),
      el("button", {
        type: "button", className: "button key", onclick: () => {
          this.release();
          picture.sendCtrlAltDel();
        },
      }, "Ctrl+Alt+Del"),
    );
    byId("key-bar").append(...[...PLAIN, ...STICKY, ...ARROWS].map((key) => this.#button(key)));
    this.#watch(byId("screen"));
    picture.addEventListener("disconnected", () => this.#forget()); // the server lets go of them
    window.addEventListener("blur", (event) => event.isTrusted && this.release());
  }

  /** A key typed on a real keyboard ends a sticky one, once the program has seen both. noVNC stops
      these events on their way, so they are caught before. Of a key that was pressed elsewhere (the
      Esc that closed the menu) only the end arrives here; it does not count. */
  #watch(screen) {
    let pressed = "";
    screen.addEventListener("keydown", (event) => {
      if (!MODIFIERS.test(event.code)) pressed = event.code;
    }, { capture: true });
    screen.addEventListener("keyup", (event) => {
      if (!this.#down.size || event.code !== pressed) return;
      pressed = "";
      setTimeout(() => this.release());
    }, { capture: true });
  }

  /** Type one key together with what is held. */
  type(keysym, code) {
    this.#picture.sendKey(keysym, code);
    this.release();
  }

  /** Let go of what is held. */
  release() {
    for (const key of this.#down) this.#picture.sendKey(key.keysym, key.code, false);
    this.#forget();
  }

  #forget() {
    this.#down.clear();
    this.#mark();
  }

  #button(key) {
    const sticky = STICKY.includes(key);
    return el("button", {
      type: "button", className: "button key", data: { key: key.code },
      aria: { ...(sticky && { pressed: "false" }), ...(key.name && { label: key.name }) },
      // The on-screen keyboard closes when its text field loses the focus.
      onpointerdown: (event) => event.preventDefault(),
      onclick: () => (sticky ? this.#toggle(key) : this.type(key.keysym, key.code)),
    }, key.label);
  }

  #toggle(key) {
    const down = !this.#down.has(key);
    if (down) this.#down.add(key);
    else this.#down.delete(key);
    this.#picture.sendKey(key.keysym, key.code, down);
    this.#mark();
  }

  #mark() {
    for (const key of STICKY) {
      for (const button of document.querySelectorAll(`[data-key="${key.code}"]`)) {
        button.setAttribute("aria-pressed", String(this.#down.has(key)));
      }
    }
    byId("handle").classList.toggle("holding", this.#down.size > 0);
  }
}

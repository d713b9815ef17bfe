/* Text between this computer's clipboard and the session's.

   To the session: when the person pastes (the browser then hands over the text without asking),
   and, where the browser has given leave to read the clipboard, whenever this tab gets the focus.
   From the session: written to this computer's clipboard as it comes; where the browser wants a
   gesture first, a notice offers a button. The panel does both by hand, in every browser.

   The policy is enforced by the server; here it only decides what is offered. */

import { byId, config } from "./config.js";
import { size } from "./dom.js";
import { notice } from "./notices.js";

const KEY_V = 0x76;
const KEY_SHIFT_V = 0x56;
const KEY_INSERT = 0xff63;
const CONTROL = [0xffe3, "ControlLeft"];
const COMMAND = [0xffe9, "MetaLeft"]; // noVNC makes Alt of a Mac's Command key
const PASTE_EVENT_MS = 60; // browsers fire `paste` at once or, in some places, not at all

export class Clipboard {
  #picture;
  #known = null; // the text that both sides have, so that it is not sent round in circles
  #unwritten = null; // a text of the session that the browser did not let us write yet
  #pendingKey = null;

  constructor(picture) {
    this.#picture = picture;
    if (config.toSession) this.#watchPastes();
    if (config.fromSession) picture.addEventListener("copied", (event) => this.#copied(event.detail));
    window.addEventListener("focus", () => this.#focused());
    picture.addEventListener("connected", () => this.#focused());
    this.#panel();
  }

  /** Give the session a text. Says why when it does not, and returns false. */
  send(text) {
    if (!text) return false;
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > config.pasteLimit) {
      notice(`That text has ${size(bytes)}; at most ${size(config.pasteLimit)} can be sent. Nothing was sent.`, null, "bad");
      return false;
    }
    if (!this.#picture.paste(text)) {
      notice("The session is not connected right now. Nothing was sent.", null, "bad");
      return false;
    }
    this.#known = text;
    return true;
  }

  #watchPastes() {
    // Before noVNC sees the key: it would keep the browser from pasting.
    byId("screen").addEventListener("keydown", (event) => {
      const paste = (event.code === "KeyV" && (event.ctrlKey || event.metaKey) && !event.altKey)
        || (event.code === "Insert" && event.shiftKey && !event.ctrlKey);
      if (!paste || event.repeat || !this.#picture.connected) return;
      event.stopImmediatePropagation();
      this.#flushKey();
      const key = event.code === "Insert" ? [KEY_INSERT, "Insert"]
        : [event.shiftKey ? KEY_SHIFT_V : KEY_V, "KeyV"];
      const timer = setTimeout(() => this.#flushKey(), PASTE_EVENT_MS);
      this.#pendingKey = { key, command: event.metaKey && !event.ctrlKey, timer };
    }, { capture: true });
    document.addEventListener("paste", (event) => {
      if (!this.#picture.focused) return; // a text field of the panel
      event.preventDefault();
      const text = event.clipboardData?.getData("text/plain");
      if (text && text !== this.#known) this.send(text);
      this.#flushKey();
    });
  }

  /** The key of a paste follows the text, so that the program finds the new one. */
  #flushKey() {
    if (!this.#pendingKey) return;
    const { key, command, timer } = this.#pendingKey;
    clearTimeout(timer);
    this.#pendingKey = null;
    if (command) { // the session's programs paste with Ctrl
      this.#picture.sendKey(...COMMAND, false);
      this.#picture.sendKey(...CONTROL, true);
    }
    this.#picture.sendKey(...key);
    if (command) this.#picture.sendKey(...CONTROL, false);
  }

  async #focused() {
    if (this.#unwritten !== null) await this.#write(this.#unwritten);
    else if (config.toSession && (await mayRead()) === "granted") await this.#read();
  }

  async #read() {
    if (!document.hasFocus() || !this.#picture.connected) return;
    try {
      const text = await navigator.clipboard.readText();
      if (text && text !== this.#known) this.send(text);
    } catch {
      // No text in it, or the focus went away meanwhile.
    }
  }

  #copied(text) {
    if (!text || text === this.#known) return;
    this.#known = text;
    byId("clipboard-in").value = text;
    byId("clipboard-copy").disabled = false;
    this.#unwritten = text;
    if (document.hasFocus()) this.#write(text);
  }

  async #write(text) {
    try {
      await navigator.clipboard.writeText(text);
      if (this.#unwritten === text) this.#unwritten = null;
      return true;
    } catch {
      if (this.#unwritten === text && document.hasFocus()) {
        this.#unwritten = null; // offered once
        notice("Copied in the session.", { label: "Copy here too", run: () => this.#write(text) });
      }
      return false;
    }
  }

  #panel() {
    byId("clipboard-send")?.addEventListener("click", () => {
      const text = byId("clipboard-out").value;
      if (!text) byId("clipboard-out").focus();
      else if (this.send(text)) notice("Sent. Paste it in the session.");
    });
    byId("clipboard-copy")?.addEventListener("click", async () => {
      const field = byId("clipboard-in");
      if (await this.#write(field.value)) notice("Copied.");
      else {
        field.select(); // the person's own Ctrl+C works everywhere
        notice("Your browser does not allow it. The text is selected: press Ctrl+C.");
      }
    });
    const allow = byId("clipboard-allow");
    if (!allow) return;
    allow.addEventListener("click", async () => {
      await this.#read(); // the browser asks
      this.#offerLeave();
      if ((await mayRead()) === "granted") notice("Text that you copy elsewhere now reaches the session.");
    });
    this.#offerLeave();
  }

  async #offerLeave() {
    byId("clipboard-allow").hidden = (await mayRead()) !== "prompt";
  }
}

/** granted, prompt, denied, or "" where the browser has no such permission (Firefox, Safari). */
async function mayRead() {
  if (!navigator.clipboard?.readText) return "";
  try {
    return (await navigator.permissions.query({ name: "clipboard-read" })).state;
  } catch {
    return "";
  }
}

/* The on-screen keyboard of touch devices.

   It opens only for a text field, so a hidden one takes what is typed; what changed in it becomes
   keys (the way of noVNC's own application). The field is kept full of filler, because backspace
   in an empty field tells nothing. */

import keysyms from "../vendor/novnc/core/input/keysymdef.js";
import { byId } from "./config.js";

const FILLER = "_".repeat(100);
const BACKSPACE = 0xff08;
const RETURN = 0xff0d;
const TAB = 0xff09;
const KEYS = { Enter: RETURN, Tab: TAB, Escape: 0xff1b, Backspace: BACKSPACE, Delete: 0xffff,
  ArrowLeft: 0xff51, ArrowUp: 0xff52, ArrowRight: 0xff53, ArrowDown: 0xff54 };

export const touchScreen = () => window.matchMedia("(any-pointer: coarse)").matches;

/** The difference between two texts as edits at the caret: how many to delete, what to type. Pure. */
export function edits(before, after) {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same++;
  return { backspaces: before.length - same, text: after.slice(same) };
}

export class TouchKeyboard {
  #field = byId("touch-input");
  #button = byId("touch-keyboard");
  #bar = byId("key-bar");
  #keys;
  #picture;
  #before = FILLER;

  /** `onopen`: make room, before the keyboard comes. */
  constructor(keys, picture, onopen) {
    this.#keys = keys;
    this.#picture = picture;
    this.#button.hidden = !touchScreen();
    this.#button.addEventListener("click", () => {
      if (!this.#bar.hidden) {
        this.close();
        return;
      }
      onopen();
      this.open();
    });
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("blur", () => this.close());
    window.visualViewport?.addEventListener("resize", () => this.#fit());
    window.visualViewport?.addEventListener("scroll", () => this.#fit());
  }

  open() {
    this.#bar.hidden = this.#field.hidden = false;
    this.#picture.focusOnPress = false;
    this.#reset();
    this.#field.focus({ preventScroll: true });
    this.#button.setAttribute("aria-pressed", "true");
    this.#fit();
  }

  close() {
    this.#picture.focusOnPress = true;
    this.#bar.hidden = this.#field.hidden = true;
    this.#button.setAttribute("aria-pressed", "false");
    this.#fit();
  }

  #reset() {
    this.#before = this.#field.value = FILLER;
    this.#field.setSelectionRange(FILLER.length, FILLER.length);
  }

  #typed() {
    const after = this.#field.value;
    const { backspaces, text } = edits(this.#before, after);
    for (let i = 0; i < backspaces; i++) this.#keys.type(BACKSPACE, "Backspace");
    for (const character of text) {
      if (character === "\n") this.#keys.type(RETURN, "Enter");
      else this.#keys.type(keysyms.lookup(character.codePointAt(0)), "");
    }
    this.#before = after;
    // Not in the middle of a word: composing keyboards replace what they find.
    if (after.length > 2 * FILLER.length || after.length < FILLER.length / 2) this.#reset();
  }

  #key(event) {
    // Keyboards on screen mostly report "Unidentified" and then change the text.
    if (event.isComposing || !(event.key in KEYS)) return;
    if (event.key === "Backspace" && this.#field.value.length > FILLER.length) return;
    event.preventDefault();
    this.#keys.type(KEYS[event.key], event.code);
    if (event.key === "Enter") this.#reset();
  }

  /** Keep desktop and key bar above the keyboard where it only covers the page (iOS). */
  #fit() {
    const view = window.visualViewport;
    if (!view || view.scale > 1.01) return;
    const root = document.documentElement.style;
    const covered = this.#bar.hidden ? 0 : Math.max(0, window.innerHeight - view.height - view.offsetTop);
    root.setProperty("--covered", `${Math.round(covered)}px`);
    root.setProperty("--key-bar", this.#bar.hidden ? "0px" : `${this.#bar.offsetHeight}px`);
  }
}

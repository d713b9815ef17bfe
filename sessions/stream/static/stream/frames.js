/* Sees real input inside the web application's frame and the frames in it.

   A page of another origin in there cannot be looked into; input to it does not count. Scripts of
   the application cannot pretend: only events that come from the person are trusted. */

const INPUT = ["keydown", "pointerdown", "wheel", "touchstart"];
const LOOK_MS = 1000;

export class FrameWatch {
  #frame;
  #oninput;
  #onwindow;
  #seen = new WeakSet();

  /** `oninput` at each input; `onwindow(window)` once for each page in the frame. */
  constructor(frame, oninput, onwindow) {
    this.#frame = frame;
    this.#oninput = oninput;
    this.#onwindow = onwindow;
    // A page inside may replace its frames without telling; looking is cheap.
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** Listen in every page that is there now. Listeners go with their page. */
  look() {
    if (this.#frame.contentWindow) this.#attach(this.#frame.contentWindow, 0);
  }

  #attach(inner, depth) {
    try {
      if (!this.#seen.has(inner.document)) {
        this.#seen.add(inner.document);
        for (const type of INPUT) {
          inner.addEventListener(type, (event) => event.isTrusted && this.#oninput(), {
            capture: true, passive: true,
          });
        }
        this.#onwindow(inner);
      }
      if (depth > 8) return;
      for (let i = 0; i < inner.length; i++) this.#attach(inner[i], depth + 1);
    } catch {
      // Another origin.
    }
  }
}

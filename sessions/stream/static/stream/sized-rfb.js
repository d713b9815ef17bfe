/* noVNC's RFB with a say in how many pixels a window is worth.

   `density` pixels of the desktop are asked for per CSS pixel; the picture is then drawn back into
   the window by `scaleViewport`, so on a screen with that density it is sharp. It overrides two
   internal methods of noVNC 1.7.0, which is why that version is pinned exactly. */

import RFB from "../vendor/novnc/core/rfb.js";

export class SizedRFB extends RFB {
  density = 1;
  #asking = false;

  _requestRemoteResize() {
    this.#asking = true;
    try {
      super._requestRemoteResize();
    } finally {
      this.#asking = false;
    }
  }

  _screenSize() {
    const { w, h } = super._screenSize();
    // Whole pixels: 1280.4 would be asked for again and again, and blur the picture by scaling.
    const density = this.#asking ? this.density : 1;
    return { w: Math.floor(w * density), h: Math.floor(h * density) };
  }
}

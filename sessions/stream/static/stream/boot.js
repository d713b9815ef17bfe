/* Says so when the modules of the page do not load or do not start.

   A classic script on purpose: it runs where modules fail, and it must come before them. The page
   sets `data-ready` on <html> once it works; from then on this does nothing. */
(function () {
  "use strict";

  // Long enough for a slow mobile network; the noVNC library is about 300 KB.
  var PATIENCE_MS = 20000;

  function tell(text) {
    var root = document.documentElement;
    if (root.dataset.ready) return;
    if (text) document.getElementById("trouble-text").textContent = text;
    document.getElementById("trouble").hidden = false;
  }

  window.addEventListener("error", function (event) {
    var failed = event.target;
    // Script elements report a failed download here, modules also a failed import.
    if (failed && failed.tagName === "SCRIPT") tell();
    else if (event.message) tell("The browser reported: " + event.message);
  }, true);
  setTimeout(function () { tell("It takes unusually long to load."); }, PATIENCE_MS);
  if (!("noModule" in HTMLScriptElement.prototype)) {
    tell("This browser is too old for it. Please use a current version.");
  }
})();

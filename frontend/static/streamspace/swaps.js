// What htmx may swap when the status is an error, and what must survive a swap: focus, open parts.
function place(element) {
  return element?.closest?.("[data-card]") ?? null;
}

function focusKey(root) {
  const active = document.activeElement;
  if (!active || active === document.body || !root.contains(active)) return null;
  return active.dataset.focus ? `[data-focus="${active.dataset.focus}"]` : active.id ? `#${CSS.escape(active.id)}` : null;
}

export function startSwaps() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    // Before the button is disabled, which takes the focus away.
    const { elt, requestConfig } = event.detail;
    requestConfig.focus = elt.contains(document.activeElement) ? focusKey(elt) : null;
    if (requestConfig.verb !== "get") elt.closest?.("details[data-menu]")?.removeAttribute("open");
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target, requestConfig } = event.detail;
    if (xhr.status >= 400) {
      // Only an answer that says where it belongs may be shown; an error page never is.
      const placed = xhr.getResponseHeader("HX-Retarget") !== null;
      event.detail.shouldSwap = placed;
      // A refusal that the person gets to read is no fault of the page.
      if (placed || xhr.getResponseHeader("HX-Trigger")) event.detail.isError = false;
      if (xhr.status === 404 && requestConfig.verb === "get" && target.matches?.("[data-card]")) gone(event);
    }
    if (!target.id) return;
    requestConfig.focus ??= focusKey(target);
    if (requestConfig.verb === "get") {
      requestConfig.open = [...target.querySelectorAll("details[data-keep][open]")].map((details) => [
        place(details)?.id ?? "",
        details.dataset.keep,
      ]);
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const { requestConfig, target } = event.detail;
    for (const [card, key] of requestConfig?.open ?? []) {
      const details = document.getElementById(card)?.querySelector(`details[data-keep="${key}"]`);
      if (details) details.open = true;
    }
    if (!requestConfig?.focus || document.activeElement !== document.body) return;
    const root = (target.id && document.getElementById(target.id)) || document;
    // What was pressed may be gone, or hidden again: then its neighbour is the next best.
    for (const key of [requestConfig.focus, ".rename > summary", ".actions .button", "h3 a"]) {
      root.querySelector(key)?.focus({ preventScroll: true });
      if (document.activeElement !== document.body) return;
    }
  });
}

/** The session is no longer this user's to see. */
function gone(event) {
  const card = event.detail.target;
  if (card.id === "session-detail") location.assign("/");
  else if (card.id === "enter") location.reload();
  else {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
    event.detail.swapOverride = "delete";
  }
}

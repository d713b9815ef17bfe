// Asks before what cannot be undone. Without a script the server asks on a page of its own.
/** Show the dialog with a form's `data-confirm-*` words; resolves to whether to go on. */
function ask(form) {
  const { confirmTitle, confirmText, confirmYes } = form.dataset;
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = confirmTitle;
  document.getElementById("confirm-text").textContent = confirmText;
  document.getElementById("confirm-yes").textContent = confirmYes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const yes = dialog.returnValue === "yes";
        // What was pressed may be in a menu, which closed when the dialog took the focus.
        if (!yes) (form.closest("details:not([open])")?.querySelector("summary") ?? form.querySelector("button"))?.focus();
        resolve(yes);
      },
      { once: true },
    );
  });
}

export function startConfirm() {
  document.addEventListener("htmx:confirm", async (event) => {
    const form = event.detail.elt;
    if (!form.dataset?.confirmTitle) return;
    event.preventDefault();
    if (await ask(form)) event.detail.issueRequest(true);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.confirmTitle || form.hasAttribute("hx-post")) return;
    event.preventDefault();
    if (await ask(form)) form.submit();
  });
}

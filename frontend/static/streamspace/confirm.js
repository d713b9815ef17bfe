// Asks before what cannot be undone. Without a script the server asks on a page of its own.
/** Show the dialog with a form's `data-confirm-*` words; resolves to whether to go on. */
function ask({ confirmTitle, confirmText, confirmYes }) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = confirmTitle;
  document.getElementById("confirm-text").textContent = confirmText;
  document.getElementById("confirm-yes").textContent = confirmYes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function startConfirm() {
  document.addEventListener("htmx:confirm", async (event) => {
    const form = event.detail.elt;
    if (!form.dataset?.confirmTitle) return;
    event.preventDefault();
    if (await ask(form.dataset)) event.detail.issueRequest(true);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.confirmTitle || form.hasAttribute("hx-post")) return;
    event.preventDefault();
    if (await ask(form.dataset)) form.submit();
  });
}

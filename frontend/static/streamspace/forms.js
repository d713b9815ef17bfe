// Forms: the CSRF header, one submit per press, copy buttons, going into a session by itself.
function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not allowed outside secure contexts: select the text, so that Ctrl+C is all that is left.
    const code = button.parentElement.querySelector("code");
    if (code) getSelection().selectAllChildren(code);
    return;
  }
  button.classList.add("copied");
  const use = button.querySelector("use");
  const href = use.getAttribute("href");
  use.setAttribute("href", href.replace("#copy", "#check"));
  setTimeout(() => {
    button.classList.remove("copied");
    use.setAttribute("href", href.replace("#check", "#copy"));
  }, 2000);
}

function reveal(root) {
  for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

function submitting(form) {
  // After the browser collected the values: a disabled button would not be sent.
  setTimeout(() => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.disabled = true;
      button.classList.add("sending");
    }
  });
}

export function startForms() {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  document.addEventListener("htmx:configRequest", (event) => {
    if (token) event.detail.headers["X-CSRFToken"] = token;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    // By the status: for htmx a refusal that found its place in the page counts as a success, and
    // the notice that says why must stay.
    if (!(event.detail.xhr.status < 400) || !form.matches?.("form[data-once]")) return;
    form.elements.once.value = fresh();
    document.getElementById("notice")?.replaceChildren();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-once-only]")) submitting(event.target);
  });
  // Back from the next page: buttons must work again.
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button.sending")) {
      button.disabled = false;
      button.classList.remove("sending");
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });
  reveal(document);
  document.addEventListener("htmx:afterSwap", () => reveal(document));

  const entry = document.querySelector("form[data-enter]");
  if (entry && !entry.dataset.sent) {
    entry.dataset.sent = "yes";
    entry.submit();
  }
}

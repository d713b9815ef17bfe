// The choice between system, light and dark. theme.js applies the stored choice before first paint.
const root = document.documentElement;

function stored() {
  try {
    return localStorage.getItem("theme") || "system";
  } catch {
    return "system";
  }
}

function apply(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

export function startTheme() {
  for (const group of document.querySelectorAll("[data-theme-switch]")) {
    const input = group.querySelector(`input[value="${stored()}"]`);
    if (input) input.checked = true;
    group.addEventListener("change", (event) => {
      apply(event.target.value);
      try {
        localStorage.setItem("theme", event.target.value);
      } catch {
        // It holds for this page, then.
      }
    });
  }
  // Another tab made a choice.
  addEventListener("storage", (event) => {
    if (event.key !== "theme") return;
    apply(event.newValue || "system");
    const input = document.querySelector(`[data-theme-switch] input[value="${stored()}"]`);
    if (input) input.checked = true;
  });
}

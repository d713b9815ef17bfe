// <details> menus close like menus: by Escape, by a press elsewhere, by leaving them.
function close(menu, focus) {
  menu.open = false;
  if (focus) menu.querySelector("summary").focus();
}

export function startMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) close(menu, false);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details[data-menu][open], details.rename[open]");
    if (menu) close(menu, menu.contains(document.activeElement));
  });
  document.addEventListener("focusout", (event) => {
    const menu = event.target.closest?.("details[data-menu][open]");
    if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) close(menu, false);
  });
  document.addEventListener(
    "toggle",
    (event) => {
      const details = event.target;
      if (!details.open) return;
      // A menu near the lower edge would open out of sight.
      if (details.matches("[data-menu]")) details.querySelector(".menu-panel")?.scrollIntoView({ block: "nearest" });
      if (!details.matches("details.rename")) return;
      const input = details.querySelector("input[name=display_name]");
      input.focus();
      input.select();
    },
    true,
  );
}

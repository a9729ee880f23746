// The button that switches between light and dark.
import { redraw } from "./plot.js";

export function toggle() {
  const root = document.documentElement;
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage may be off */ }
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    try { if (localStorage.getItem("theme")) return; } catch { /* storage may be off */ }
    root.dataset.theme = event.matches ? "dark" : "light";
    redraw();
  });
}

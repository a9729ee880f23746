// Puts the reader's own choice of light or dark in force before anything is painted.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage may be off */ }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  else if (matchMedia("(prefers-color-scheme: dark)").matches) root.dataset.theme = "dark";
})();

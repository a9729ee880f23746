// One-letter keys: each clicks the element that names it in data-key.
export function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    // One that is closed may have the focus for a moment yet; it has no keys of its own any more.
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?") return document.getElementById("keys")?.showModal();
    if (event.key === "Escape" && document.querySelector("details.menu[open]")) return;
    const wanted = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const target = document.querySelector(`[data-key="${CSS.escape(wanted)}"]`);
    if (!target) return;
    event.preventDefault();
    target.click();
    if (target.matches("summary")) target.parentElement.querySelector("select, a, input:not([type=hidden])")?.focus();
  });
}

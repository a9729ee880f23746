// Opens a full list over the report instead of leaving it.
import { names } from "./names.js";
import { fetchPage, samePage, visit } from "./navigate.js";

let dialog = null;

function make() {
  dialog = document.createElement("dialog");
  dialog.className = "panel-dialog";
  dialog.setAttribute("aria-label", "Details");
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-swap]")) return;
    event.preventDefault();
    const url = new URL(event.target.action);
    url.search = new URLSearchParams(new FormData(event.target)).toString();
    show(url.href);
  });
  dialog.addEventListener("click", follow);
}

function follow(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(link.href);
  if (samePage(url)) {
    dialog.close();
    visit(url.href);
  } else {
    show(url.href);
  }
}

async function show(url) {
  const { page } = await fetchPage(url);
  const list = page.querySelector("[data-list]");
  if (!list) return location.assign(url);
  if (!dialog?.isConnected) {
    make();
    document.body.append(dialog);
  }
  const close = document.createElement("button");
  close.className = "button quiet icon dialog-close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "✕";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, document.adoptNode(list));
  names(dialog);
  if (!dialog.open) dialog.showModal();
}

export function dialogs() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-dialog]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href).catch(() => location.assign(link.href));
  });
}

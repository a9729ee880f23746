// Countries and languages by their names instead of their codes.

// Where the fonts have no flags, their two letters would stand there.
function hasFlags() {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "16px sans-serif";
  const width = (text) => pen.measureText(text).width;
  return width("\u{1F1E9}\u{1F1EA}") < width("\u{1F1E9}") * 1.6;
}
let flags = null;

export function names(root) {
  flags ??= hasFlags();
  document.documentElement.classList.toggle("no-flags", !flags);
  for (const type of ["region", "language"]) {
    const places = root.querySelectorAll(`[data-names="${type}"]`);
    if (!places.length) continue;
    const known = new Intl.DisplayNames(["en"], { type, fallback: "code" });
    for (const place of places) {
      try { place.textContent = known.of(place.dataset.code); } catch { /* no such code: it stays as it is */ }
    }
  }
}

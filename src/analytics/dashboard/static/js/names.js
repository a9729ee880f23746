// Countries and languages by their names instead of their codes.
export function names(root) {
  for (const type of ["region", "language"]) {
    const places = root.querySelectorAll(`[data-names="${type}"]`);
    if (!places.length) continue;
    const known = new Intl.DisplayNames(["en"], { type, fallback: "code" });
    for (const place of places) {
      try { place.textContent = known.of(place.dataset.code); } catch { /* no such code: it stays as it is */ }
    }
  }
}

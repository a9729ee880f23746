// Browsers under the locale "C" take that for their language. uPlot, which asks `Intl` for its numbers
// while it loads, would fail on it; it comes after this.
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en" });
}

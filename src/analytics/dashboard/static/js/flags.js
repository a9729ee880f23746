// Shows flags where the fonts have them; elsewhere two letters would stand there.
function hasFlags() {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "16px sans-serif";
  const width = (text) => pen.measureText(text).width;
  return width("\u{1F1E9}\u{1F1EA}") < width("\u{1F1E9}") * 1.6;
}

export function flags() { document.documentElement.classList.toggle("flags", hasFlags()); }

// Draws the plot from the table that says the same.
const HEIGHT_OF_AXIS = 28;
let drawn = null;

function read(table) {
  const rows = [...table.tBodies[0].rows];
  const value = (cell) => (cell && cell.dataset.value !== "" ? Number(cell.dataset.value) : null);
  const now = rows.map((row) => value(row.cells[1]));
  const open = rows.findIndex((row) => row.hasAttribute("data-unfinished"));
  // The running bucket is drawn dashed, from the last finished one.
  const sure = now.map((each, at) => (open >= 0 && at >= open ? null : each));
  const running = now.map((each, at) => (open >= 0 && (at === open || at === open - 1) ? each : null));
  return { rows, now, sure, running, before: rows.map((row) => value(row.cells[2])) };
}

function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(1)}M`;
  if (value >= 1e3) return `${+(value / 1e3).toFixed(1)}k`;
  return String(+value.toFixed(2));
}

function reading(metric) {
  if (metric === "bounce_rate") return (value) => `${value}%`;
  if (metric === "visit_duration") return (value) => (value < 60 ? `${value}s` : `${+(value / 60).toFixed(1)}m`);
  return short;
}

function tip(box, data) {
  const card = document.createElement("div");
  card.className = "tip";
  card.hidden = true;
  box.append(card);
  const line = (kind, name, text) => {
    const row = document.createElement("div");
    row.className = `tip-row ${kind}`;
    const figure = document.createElement("b");
    row.append(name, figure);
    figure.textContent = text;
    return row;
  };
  return (chart) => {
    const at = chart.cursor.idx;
    card.hidden = at == null || chart.cursor.left < 0;
    if (card.hidden) return;
    const cells = data.rows[at].cells;
    const lines = [line("now", cells[0].textContent, cells[1].textContent)];
    if (cells.length > 3 && cells[3].textContent) lines.push(line("before", cells[3].textContent, cells[2].textContent));
    card.replaceChildren(...lines);
    const left = chart.over.offsetLeft + chart.cursor.left;
    const room = box.clientWidth - card.offsetWidth - 8;
    card.style.translate = `${Math.max(8, Math.min(room, left - card.offsetWidth / 2))}px 4px`;
  };
}

function draw(box) {
  const table = document.getElementById(box.dataset.plot);
  const data = read(table);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const label = reading(box.dataset.metric);
  const font = `11px ${style.getPropertyValue("--font")}`;
  const top = Math.max(1, ...data.now, ...data.before);
  const size = () => ({ width: box.clientWidth - 24, height: box.clientHeight - 8 });
  const line = (stroke, rest) => ({ stroke: colour(stroke), width: 2, points: { show: data.rows.length === 1 }, ...rest });
  box.replaceChildren();
  const move = tip(box, data);
  drawn = new window.uPlot({
    ...size(),
    padding: [10, 26, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    legend: { show: false },
    scales: { x: { time: false }, y: { range: [0, top * 1.08] } },
    axes: [
      {
        size: HEIGHT_OF_AXIS, font, stroke: colour("--ink-faint"), grid: { show: false }, ticks: { show: false }, space: 70, incrs: [1, 2, 3, 4, 6, 7, 8, 12, 14, 24, 28, 48, 56, 91],
        values: (_, at) => at.map((each) => data.rows[each]?.dataset.short ?? ""),
      },
      {
        size: 46, font, stroke: colour("--ink-faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, space: 48,
        incrs: [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1e8],
        values: (_, at) => at.map(label),
      },
    ],
    series: [
      {},
      line("--plot-before", { width: 1.5, dash: [5, 5] }),
      line("--plot-now", { fill: colour("--plot-fill") }),
      line("--plot-now", { dash: [3, 4], fill: colour("--plot-fill") }),
    ],
    hooks: { setCursor: [move] },
  }, [data.rows.map((_, at) => at), data.before, data.sure, data.running], box);
  return size;
}

let watch = null;
export function plot(root) {
  const box = root.querySelector("[data-plot]");
  drawn?.destroy();
  watch?.disconnect();
  drawn = null;
  if (!box || !window.uPlot) return;
  const size = draw(box);
  watch = new ResizeObserver(() => drawn?.setSize(size()));
  watch.observe(box);
}

export function redraw() { plot(document); }

// Draws the chart of the README: prefill and decode of the model group on one thread, with one panel per weight format and phase.
import { format, label } from "./table.mjs";

const PANEL = { width: 400, height: 150 };
const BAR = { left: 190, width: 150, height: 18, step: 24 };
const PHASES = { prefill: "prefill, prompt of 512 tokens", decode: "decode, after the prompt" };
const WEIGHTS = { f32: "float32", q8: "8-bit" };

/**
 * Draws an SVG that follows the reader's preference for light or dark. It shows medians in tokens per second. WebAssembly peers are shown
 * in the newer engine.
 */
export function speedChart({ heats }) {
  const panels = Object.entries(PHASES).flatMap(([phase, phaseTitle]) =>
    Object.entries(WEIGHTS).map(([weights, weightsTitle]) => {
      const { results } = heats.find(({ title }) => title.startsWith(`model ${weights}, 1 thread`));
      const rows = results
        .filter(({ rates, peer, build }) => rates[phase] && !(peer && build === "simd"))
        .map((result) => ({ name: label(result), rate: result.rates[phase].median, peer: result.peer }))
        .sort((a, b) => b.rate - a.rate);
      return panel(`${weightsTitle}: ${phaseTitle}`, rows);
    }),
  );
  const placed = panels.map(
    (body, i) => `<g transform="translate(${(i % 2) * PANEL.width} ${Math.floor(i / 2) * PANEL.height})">\n${body}\n</g>`,
  );
  const [width, height] = [2 * PANEL.width, 2 * PANEL.height];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>Tokens per second on one thread</title>
<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .name { text-anchor: end; }
  .ours { fill: #e8590c; }
  .peer { fill: #868e96; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
</style>
${placed.join("\n")}
</svg>
`;
}

function panel(title, rows) {
  const most = Math.max(...rows.map(({ rate }) => rate));
  const bars = rows.map(({ name, rate, peer }, i) => {
    const y = 28 + i * BAR.step;
    const width = Math.max(1, Math.round((rate / most) * BAR.width));
    return [
      `<text class="name" x="${BAR.left - 8}" y="${y + 13}">${name}</text>`,
      `<rect class="${peer ? "peer" : "ours"}" x="${BAR.left}" y="${y}" width="${width}" height="${BAR.height}"/>`,
      `<text x="${BAR.left + width + 6}" y="${y + 13}">${format(rate)}</text>`,
    ].join("");
  });
  return [`<text class="title" x="8" y="16">${title}</text>`, ...bars].join("\n");
}

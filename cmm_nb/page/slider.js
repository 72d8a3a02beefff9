// A figure with a slider: curves that stand, curves and a cursor that move, numbers that follow. All from the JSON in #data.
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const colours = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00'];
const slider = document.getElementById('t');
slider.max = data.values.length - 1;
slider.value = data.start;
document.getElementById('label').textContent = data.label;

const canvases = data.panels.map(panel => {
  const figure = document.createElement('figure'), canvas = document.createElement('canvas');
  const caption = document.createElement('figcaption');
  caption.textContent = panel.title;
  const names = [...panel.curves, ...panel.moving].map(one => one.name);
  if (names.length > 1) names.forEach((name, c) => {
    const word = document.createElement('span');
    word.textContent = ' ● ' + name;
    word.style.color = colours[c % colours.length];
    caption.append(word);
  });
  figure.append(caption, canvas);
  document.getElementById('panels').append(figure);
  return canvas;
});
const range = all => [Math.min(...all), Math.max(...all)];
// Round numbers between two values.
function ticks(low, high) {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(k => k * power).find(k => k >= rough);
  const first = Math.ceil(low / step - 1e-9), count = Math.floor((high - first * step) / step + 1e-9);
  return Array.from({ length: Math.max(0, count) + 1 }, (_, k) => +((first + k) * step).toPrecision(6));
}
const known = values => values.filter(v => v !== null);

function draw(canvas, panel, frame) {
  const ratio = window.devicePixelRatio || 1, pen = canvas.getContext('2d');
  const w = canvas.clientWidth, h = canvas.clientHeight, left = 44, bottom = 34, top = 8, right = 10;
  canvas.width = w * ratio; canvas.height = h * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const ink = getComputedStyle(document.body).color;
  const curves = [...panel.curves, ...panel.moving.map(one => ({ name: one.name, y: one.frames[frame] }))];
  const every = [...panel.curves.map(c => c.y), ...panel.moving.flatMap(m => m.frames)].flatMap(known);
  const [x0, x1] = range(panel.x);
  let [y0, y1] = panel.bars ? [0, Math.max(...every)] : range(every);
  const pad = panel.bars ? 0 : 0.05 * (y1 - y0 || 1);
  y0 -= pad; y1 += pad;
  const X = v => left + (w - left - right) * (v - x0) / (x1 - x0 || 1);
  const Y = v => h - bottom - (h - bottom - top) * (v - y0) / (y1 - y0 || 1);
  pen.font = '11px system-ui, sans-serif'; pen.fillStyle = ink; pen.strokeStyle = ink; pen.lineWidth = 1;
  pen.strokeRect(left, top, w - left - right, h - bottom - top);
  pen.textAlign = 'center';
  ticks(x0, x1).forEach(v => pen.fillText(v, X(v), h - bottom + 13));
  pen.textAlign = 'right';
  ticks(y0, y1).forEach(v => pen.fillText(v, left - 4, Y(v) + 4));
  pen.textAlign = 'center'; pen.fillText(panel.across, (left + w - right) / 2, h - 5);
  curves.forEach((curve, c) => {
    pen.strokeStyle = pen.fillStyle = colours[c % colours.length]; pen.lineWidth = 2;
    if (panel.bars) {
      const wide = (X(panel.x[1]) - X(panel.x[0])) * 0.9;
      pen.globalAlpha = 0.8;
      curve.y.forEach((v, k) => pen.fillRect(X(panel.x[k]) - wide / 2, Y(v), wide, Y(0) - Y(v)));
      pen.globalAlpha = 1;
    } else {
      pen.beginPath();
      let down = false;
      curve.y.forEach((v, k) => { if (v === null) { down = false; return; } pen[down ? 'lineTo' : 'moveTo'](X(panel.x[k]), Y(v)); down = true; });
      pen.stroke();
    }
  });
  if (!panel.cursor || panel.cursor[frame] === null) return;
  const at = Math.min(x1, Math.max(x0, panel.cursor[frame]));
  pen.strokeStyle = ink; pen.setLineDash([4, 3]); pen.lineWidth = 1.5;
  pen.beginPath(); pen.moveTo(X(at), top); pen.lineTo(X(at), h - bottom); pen.stroke(); pen.setLineDash([]);
}
function update() {
  const frame = +slider.value;
  document.getElementById('value').textContent = data.values[frame];
  const numbers = document.getElementById('numbers');
  numbers.replaceChildren(...data.numbers.map(one => {
    const line = document.createElement('div'), name = document.createElement('span'), value = document.createElement('b');
    name.textContent = one.name + ' ';
    value.textContent = one.values[frame];
    line.append(name, value);
    return line;
  }));
  data.panels.forEach((panel, k) => draw(canvases[k], panel, frame));
}
slider.oninput = update;
new ResizeObserver(update).observe(document.getElementById('panels'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', update);
update();

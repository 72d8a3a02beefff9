// The explorer of a space with two modalities. All that is shown comes from the JSON in #data; names are data, never HTML.
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);

// ---- vectors: rows of a rotated space, the leading columns in 16 bits, the others in 8
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
function unpacked(packed) {
  if (!packed) return null;
  const { rows, width, fine } = packed, rest = width - fine;
  const scale = new Float32Array(bytes(packed.scale));
  const wide = new Int16Array(bytes(packed.wide)), narrow = new Int8Array(bytes(packed.narrow));
  const all = new Float32Array(rows * width);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < width; j++)
      all[i * width + j] = scale[j] * (j < fine ? wide[i * fine + j] : narrow[i * rest + j - fine]);
  return { rows, width, all };
}
function dot(a, i, b, j) {
  let sum = 0;
  const k = a.width, p = i * k, q = j * k;
  for (let l = 0; l < k; l++) sum += a.all[p + l] * b.all[q + l];
  return sum;
}
// Unit rows on the way from `before` (t = 0) to `after` (t = 1).
function between(before, after, t) {
  const { rows, width } = before, all = new Float32Array(rows * width);
  for (let i = 0; i < rows; i++) {
    let squares = 0;
    for (let l = i * width; l < (i + 1) * width; l++) {
      all[l] = after ? (1 - t) * before.all[l] + t * after.all[l] : before.all[l];
      squares += all[l] * all[l];
    }
    const norm = Math.sqrt(squares) || 1;
    for (let l = i * width; l < (i + 1) * width; l++) all[l] /= norm;
  }
  return { rows, width, all };
}
function mean(a, kept) {
  const sum = new Float64Array(a.width);
  let n = 0;
  for (let i = 0; i < a.rows; i++) {
    if (kept && !kept[i]) continue;
    n++;
    for (let l = 0; l < a.width; l++) sum[l] += a.all[i * a.width + l];
  }
  return sum.map(v => v / Math.max(n, 1));
}

// ---- what is shown
const image = unpacked(data.image), text = unpacked(data.text), label = data.label, names = data.names;
const maps = data.maps.map(map => ({ name: map.name, image: unpacked(map.image), text: unpacked(map.text) }));
const flat = data.projections.map(p => ({ name: p.name, xy: new Int16Array(bytes(p.xy)), unit: p.unit }));
const state = { map: 0, t: 0, projection: 'pca', follow: false, picked: -1, shown: names.map(() => true),
                zoom: 1, x: 0, y: 0 };
let X = image, T = text, axes = null, points = null, frame = 0;

// The three numbers, over the pictures that are shown and all texts.
function numbers() {
  const kept = label.map(c => state.shown[c]), a = mean(X, kept), b = mean(T);
  let n = 0, right = 0, own = 0;
  for (let i = 0; i < X.rows; i++) {
    if (!kept[i]) continue;
    n++;
    let best = -1, most = -2;
    for (let c = 0; c < T.rows; c++) {
      const cosine = dot(X, i, T, c);
      if (c === label[i]) own += cosine;
      if (cosine > most) { most = cosine; best = c; }
    }
    right += best === label[i];
  }
  return { distance: Math.sqrt(a.reduce((s, v, l) => s + (v - b[l]) ** 2, 0)), accuracy: right / n, own: own / n, n };
}
function nearest(i, k = 2) {
  const all = Array.from({ length: T.rows }, (_, c) => [dot(X, i, T, c), c]);
  return all.sort((p, q) => q[0] - p[0]).slice(0, k);
}

// Few classes get the given colours, more get hues that lie far apart.
const colour = c => data.colours[c] || `hsl(${Math.round(137.508 * c) % 360} ${55 + 30 * (c % 2)}% ${40 + 8 * (c % 3)}%)`;

// ---- the plane: two principal axes, each modality counting equally
function principal(start) {
  const k = X.width, centreX = mean(X), centreT = mean(T);
  const centre = centreX.map((v, l) => (v + centreT[l]) / 2);
  let two = start || [0, 1].map(s => Float64Array.from({ length: k }, (_, l) => Math.sin((l + 1) * (s + 1.7))));
  for (let round = 0; round < (start ? 6 : 60); round++) {
    const next = [new Float64Array(k), new Float64Array(k)];
    for (const rows of [X, T])
      for (let i = 0; i < rows.rows; i++)
        for (let s = 0; s < 2; s++) {
          let along = 0;
          for (let l = 0; l < k; l++) along += (rows.all[i * k + l] - centre[l]) * two[s][l];
          along /= rows.rows;
          for (let l = 0; l < k; l++) next[s][l] += along * (rows.all[i * k + l] - centre[l]);
        }
    two = orthonormal(next);
  }
  for (const v of two) {
    const top = v.reduce((m, x) => (Math.abs(x) > Math.abs(m) ? x : m), 0);
    if (top < 0) v.forEach((x, l) => { v[l] = -x; });
  }
  return { centre, two };
}
function orthonormal([u, v]) {
  const length = w => Math.sqrt(w.reduce((s, x) => s + x * x, 0)) || 1;
  const n = length(u);
  u = u.map(x => x / n);
  const along = u.reduce((s, x, l) => s + x * v[l], 0);
  v = v.map((x, l) => x - along * u[l]);
  const m = length(v);
  return [u, v.map(x => x / m)];
}
function projected() {
  const given = flat.find(p => p.name === state.projection), all = new Float64Array(2 * (X.rows + T.rows));
  if (given) {
    given.xy.forEach((v, l) => { all[l] = v * given.unit; });
    return all;
  }
  if (!axes || state.follow) axes = principal(axes && axes.two);
  let at = 0;
  for (const rows of [X, T])
    for (let i = 0; i < rows.rows; i++)
      for (let s = 0; s < 2; s++) {
        let along = 0;
        for (let l = 0; l < rows.width; l++)
          along += (rows.all[i * rows.width + l] - axes.centre[l]) * axes.two[s][l];
        all[at++] = along;
      }
  return all;
}

// ---- drawing
const plot = $('plot'), pen = plot.getContext('2d');
let box = null;
function fitted() {
  box = { left: Infinity, right: -Infinity, low: Infinity, high: -Infinity };
  for (let l = 0; l < points.length; l += 2) {
    box.left = Math.min(box.left, points[l]); box.right = Math.max(box.right, points[l]);
    box.low = Math.min(box.low, points[l + 1]); box.high = Math.max(box.high, points[l + 1]);
  }
}
function place(index) {
  const w = plot.clientWidth, h = plot.clientHeight;
  const unit = 0.88 * Math.min(w / (box.right - box.left || 1), h / (box.high - box.low || 1)) * state.zoom;
  return [w / 2 + state.x + unit * (points[2 * index] - (box.left + box.right) / 2),
          h / 2 + state.y - unit * (points[2 * index + 1] - (box.low + box.high) / 2)];
}
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1, context = canvas.getContext('2d');
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
function star(x, y, size) {
  pen.beginPath();
  for (let k = 0; k < 10; k++) {
    const r = k % 2 ? size * 0.45 : size, angle = (Math.PI * k) / 5 - Math.PI / 2;
    pen.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  pen.closePath();
}
function draw() {
  frame = 0;
  sized(plot);
  const css = getComputedStyle(document.body), ink = css.color, paper = css.backgroundColor;
  pen.clearRect(0, 0, plot.clientWidth, plot.clientHeight);
  pen.globalAlpha = 0.8;
  for (let i = 0; i < X.rows; i++) {
    if (!state.shown[label[i]]) continue;
    const [x, y] = place(i);
    pen.fillStyle = colour(label[i]);
    pen.beginPath();
    pen.arc(x, y, X.rows > 800 ? 2.5 : 3.5, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  if (state.picked >= 0) {
    const [x, y] = place(state.picked);
    pen.strokeStyle = ink;
    nearest(state.picked).forEach(([, c], order) => {
      pen.lineWidth = order ? 1 : 2;
      pen.setLineDash(order ? [4, 4] : []);
      pen.beginPath(); pen.moveTo(x, y); pen.lineTo(...place(X.rows + c)); pen.stroke();
    });
    pen.setLineDash([]);
    pen.lineWidth = 2;
    pen.beginPath(); pen.arc(x, y, 6, 0, 7); pen.stroke();
  }
  const taken = [];
  for (let c = 0; c < T.rows; c++) {
    const [x, y] = place(X.rows + c);
    pen.globalAlpha = state.shown[c] ? 1 : 0.25;
    star(x, y, T.rows > 100 ? 4 : 8);
    pen.fillStyle = colour(c);
    pen.strokeStyle = ink; pen.lineWidth = 1.2; pen.fill(); pen.stroke();
    taken.push([x - 8, y - 8, x + 8, y + 8]);
  }
  named(taken, ink, paper);
  pen.globalAlpha = 1;
}
// Names beside their stars, where there is room for them.
function named(taken, ink, paper) {
  pen.font = '12px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  const free = ([a, b, c, d]) => a > 0 && b > 0 && c < plot.clientWidth && d < plot.clientHeight &&
    taken.every(([p, q, r, s]) => c < p || r < a || d < q || s < b);
  const order = [...Array(T.rows).keys()];
  if (state.picked >= 0) nearest(state.picked).reverse().forEach(([, c]) => order.unshift(...order.splice(order.indexOf(c), 1)));
  for (const c of order) {
    if (!state.shown[c]) continue;
    const name = names[c].length > 28 ? names[c].slice(0, 27) + '…' : names[c];
    const [x, y] = place(X.rows + c), w = pen.measureText(name).width;
    const spots = [[10, 0], [-10 - w, 0], [-w / 2, -17], [-w / 2, 17], [10, -14], [10, 14]];
    for (const [dx, dy] of spots) {
      const area = [x + dx, y + dy - 7, x + dx + w, y + dy + 7];
      if (!free(area)) continue;
      taken.push(area);
      pen.lineWidth = 3; pen.strokeStyle = paper; pen.strokeText(name, x + dx, y + dy);
      pen.fillStyle = ink; pen.fillText(name, x + dx, y + dy);
      break;
    }
  }
}
function redraw() { if (!frame) frame = requestAnimationFrame(draw); }

// ---- the four blocks
const heat = $('heat');
function blocks() {
  if (!heat.closest('details').open) return;
  const context = sized(heat), size = heat.clientWidth;
  let chosen = [...Array(X.rows).keys()].filter(i => state.shown[label[i]]);
  const step = Math.max(1, chosen.length / 150);
  chosen = Array.from({ length: Math.floor(chosen.length / step) }, (_, k) => chosen[Math.floor(k * step)]);
  chosen.sort((i, j) => label[i] - label[j] || i - j);
  const texts = [...Array(T.rows).keys()].slice(0, 150);
  const parts = [[X, chosen, 0, 0.68], [T, texts, 0.7, 0.3]];
  const values = parts.map(([a, rows]) => parts.map(([b, columns]) =>
    Float32Array.from({ length: rows.length * columns.length },
      (_, l) => dot(a, rows[Math.floor(l / columns.length)], b, columns[l % columns.length]))));
  let low = Infinity, high = -Infinity;
  values.flat().forEach(block => block.forEach(v => { low = Math.min(low, v); if (v < 0.9999) high = Math.max(high, v); }));
  context.clearRect(0, 0, size, size);
  context.imageSmoothingEnabled = false;
  parts.forEach(([, rows, top, tall], r) => parts.forEach(([, columns, left, wide], c) => {
    if (!rows.length || !columns.length) return;
    const tile = new ImageData(columns.length, rows.length);
    values[r][c].forEach((v, l) => tile.data.set(shade((v - low) / (high - low || 1)), 4 * l));
    const small = document.createElement('canvas');
    small.width = columns.length; small.height = rows.length;
    small.getContext('2d').putImageData(tile, 0, 0);
    context.drawImage(small, left * size, top * size, wide * size, tall * size);
  }));
  $('range').textContent = `dark ${low.toFixed(2)}, bright ${high.toFixed(2)}`;
}
function shade(v) {
  const stops = [[28, 22, 58], [60, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const at = Math.min(1, Math.max(0, v)) * 4, k = Math.min(3, Math.floor(at)), part = at - k;
  return [...stops[k].map((s, l) => Math.round(s + part * (stops[k + 1][l] - s))), 255];
}

// ---- what is said of one picture
let sprite = null;
if (data.sprite) { sprite = new Image(); sprite.onload = () => about(); sprite.src = data.sprite.source; }
function line(parent, words, quiet) {
  const p = document.createElement('p');
  p.textContent = words;
  if (quiet) p.className = 'quiet';
  parent.append(p);
}
function about() {
  const panel = $('about'), i = state.picked;
  panel.replaceChildren();
  if (i < 0) return line(panel, 'Rest on a picture, or tap it. Arrows move, + and − zoom, 0 goes back, n and p step through the pictures.', true);
  if (sprite && sprite.complete && i < data.sprite.count) {
    const { side, columns } = data.sprite, canvas = document.createElement('canvas');
    canvas.width = canvas.height = side;
    panel.append(canvas);
    canvas.getContext('2d').drawImage(sprite, side * (i % columns), side * Math.floor(i / columns), side, side, 0, 0, side, side);
  }
  line(panel, names[label[i]]);
  if (data.files) line(panel, data.files[i], true);
  nearest(i).forEach(([cosine, c]) => line(panel, `${cosine.toFixed(3)}  ${names[c]}`));
}

// ---- controls
function update() {
  const map = maps[state.map];
  X = between(image, map && map.image, state.t);
  T = between(text, map && map.text, state.t);
  points = projected();
  if (!box || state.follow) fitted();
  const found = numbers();
  for (const [id, value, shown] of [['distance', found.distance, found.distance.toFixed(3)],
      ['accuracy', found.accuracy, `${(100 * found.accuracy).toFixed(1)} %`], ['own', found.own, found.own.toFixed(3)]]) {
    $(id).textContent = Number.isNaN(value) ? 'none' : shown;
    $(id).dataset.value = value;
  }
  $('count').textContent = `${found.n} pictures, ${T.rows} texts`;
  about(); redraw(); blocks();
}
function pick(i) { if (i !== state.picked) { state.picked = i; about(); redraw(); } }
function option(parent, value, words) {
  const one = document.createElement('option');
  one.value = value; one.textContent = words;
  parent.append(one);
}
maps.forEach((map, k) => option($('map'), k, map.name));
option($('projection'), 'pca', 'principal axes');
flat.forEach(p => option($('projection'), p.name, p.name));
document.querySelectorAll('.moving').forEach(part => { part.hidden = !maps.length; });
$('map').onchange = event => { state.map = +event.target.value; axes = state.follow ? null : axes; update(); };
$('t').oninput = event => { state.t = +event.target.value; update(); };
$('follow').onchange = event => { state.follow = event.target.checked; axes = null; box = null; if (!state.follow) home(); update(); };
$('projection').onchange = event => { state.projection = event.target.value; box = null; update(); };
// Axes that stay are those of the beginning.
function home() {
  X = between(image, null, 0); T = between(text, null, 0);
  axes = principal(null);
}
names.forEach((name, c) => {
  const button = document.createElement('button'), dot = document.createElement('i'), word = document.createElement('span');
  dot.style.background = colour(c);
  word.textContent = name;
  button.append(dot, word);
  button.setAttribute('aria-pressed', 'true');
  button.onclick = () => {
    const all = state.shown.every(Boolean), only = state.shown.filter(Boolean).length === 1 && state.shown[c];
    if (all) state.shown.fill(false);
    if (only) state.shown.fill(true); else state.shown[c] = all || !state.shown[c];
    document.querySelectorAll('#legend button').forEach((b, k) => b.setAttribute('aria-pressed', String(state.shown[k])));
    if (state.picked >= 0 && !state.shown[label[state.picked]]) state.picked = -1;
    update();
  };
  $('legend').append(button);
});
$('find').oninput = event => {
  const wanted = event.target.value.toLowerCase();
  document.querySelectorAll('#legend button').forEach((b, c) => { b.hidden = !names[c].toLowerCase().includes(wanted); });
};
$('find').parentElement.hidden = data.pairs || names.length <= 12;
$('legend').hidden = data.pairs;
heat.closest('details').ontoggle = blocks;

function closest(x, y, reach) {
  let best = -1, least = reach * reach;
  for (let i = 0; i < X.rows; i++) {
    if (!state.shown[label[i]]) continue;
    const [a, b] = place(i), away = (a - x) ** 2 + (b - y) ** 2;
    if (away < least) { least = away; best = i; }
  }
  return best;
}
const fingers = new Map();
function inside(event) {
  const rim = plot.getBoundingClientRect();
  return [event.clientX - rim.left, event.clientY - rim.top];
}
function zoomed(factor, x, y) {
  const w = plot.clientWidth / 2, h = plot.clientHeight / 2, next = Math.min(40, Math.max(0.5, state.zoom * factor));
  const real = next / state.zoom;
  state.x = x - w - real * (x - w - state.x);
  state.y = y - h - real * (y - h - state.y);
  state.zoom = next;
  redraw();
}
plot.onpointerdown = event => { plot.setPointerCapture(event.pointerId); fingers.set(event.pointerId, inside(event)); };
plot.onpointermove = event => {
  const [x, y] = inside(event), last = fingers.get(event.pointerId);
  if (!last) return event.pointerType === 'touch' ? undefined : pick(closest(x, y, 12));
  if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
    const away = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]);
    zoomed(away([x, y], other) / Math.max(1, away(last, other)), (x + other[0]) / 2, (y + other[1]) / 2);
  } else {
    state.x += x - last[0]; state.y += y - last[1];
    redraw();
  }
  fingers.set(event.pointerId, [x, y]);
};
plot.onpointerup = plot.onpointercancel = event => {
  fingers.delete(event.pointerId);
  if (event.pointerType === 'touch') pick(closest(...inside(event), 24));
};
plot.onpointerleave = () => { if (!fingers.size) pick(-1); };
plot.addEventListener('wheel', event => {
  event.preventDefault();
  zoomed(Math.exp(-event.deltaY / 400), ...inside(event));
}, { passive: false });
plot.onkeydown = event => {
  const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
  const middle = [plot.clientWidth / 2, plot.clientHeight / 2];
  const along = { n: 1, p: -1 }[event.key];
  if (step) { state.x += step[0]; state.y += step[1]; redraw(); }
  else if (event.key === '+' || event.key === '=') zoomed(1.25, ...middle);
  else if (event.key === '-') zoomed(0.8, ...middle);
  else if (event.key === '0') { Object.assign(state, { zoom: 1, x: 0, y: 0 }); fitted(); redraw(); }
  else if (along) {
    let i = state.picked;
    for (let k = 0; k < X.rows; k++) {
      i = (i + along + X.rows) % X.rows;
      if (state.shown[label[i]]) break;
    }
    pick(i);
  } else return;
  event.preventDefault();
};
new ResizeObserver(() => { redraw(); blocks(); }).observe(plot);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
window.explorer = { place: i => { const rim = plot.getBoundingClientRect(), [x, y] = place(i); return [x + rim.left, y + rim.top]; }, state };
update();

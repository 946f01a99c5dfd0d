"use strict";
// The page: what is shown, and what a click or a key does. Asks the collection (collection.js, in a worker), paints
// with cloud.js, and reads codes with codes.js.

const CELL = { width: 104, height: 122, picture: 96 }; // pixels of a record in the grid
const TALLEST = 5_000_000; // pixels that a browser can scroll; longer grids are scrolled in proportion
const AHEAD = 16; // pictures asked for at a time
const KEPT = 1500; // pictures kept
const NEAREST = 12;
const STEPS = 16;
const SHORT = 16; // bytes of a code that are written out
const PAUSE = 180; // milliseconds without a key before a text is searched
const el = (id) => document.getElementById(id);

const state = {
  about: null, // title, count, code, ... of the collection
  latents: null, // how its codes are read
  shown: null, // records in the grid, Uint32Array
  record: null, // the record chosen
  loaded: false, // whether all names are here
  facts: null, // its name, code, frame, ...
  code: "", // the code drawn, in hexadecimal
  drawn: null, // points of the shape drawn; of the record's source, where it is at hand
  original: null,
  clusters: [], // number, size, ... of each
  cluster: null, chosen: {}, // what filters the grid beside text: a cluster's number, a value by kind of metadata
  start: null, end: null, path: [],
};
const camera = { ...REST };

// ---- the collection, asked by messages

const waiting = new Map();
const worker = new Worker(el("worker") ? URL.createObjectURL(new Blob([el("worker").textContent])) : "collection.js");
let asked = 0;
worker.onmessage = ({ data }) => {
  if (data.event) return events[data.event](data);
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  document.body.classList.toggle("busy", waiting.size > 0);
  if (data.error === undefined) resolve(data.answer);
  else reject(new Error(data.error));
};
function ask(method, ...given) {
  document.body.classList.add("busy");
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ id: asked, method, given });
  });
}

const events = {
  loaded({ kinds }) {
    drawKinds(kinds);
    state.loaded = true;
    select();
  },
  clustered: ({ clusters }) => {
    drawClusters(clusters);
    if (state.cluster !== null) select();
  },
};

/** The action, whose errors are shown, until the reader does something else. */
function guard(action) {
  return async (...given) => {
    try {
      await action(...given);
    } catch (error) {
      el("error").textContent = error.message;
      el("error").hidden = false;
    }
  };
}

// ---- the shape, large

const painter = new Painter();
const isDark = () => document.documentElement.classList.contains("dark");
const look = () => ({ radius: Number(el("size").value), dark: isDark(), guides: el("guides").ariaPressed === "true", colour: state.facts?.colour });

let due = false;
function redraw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    if (el("turn").ariaPressed === "true") {
      camera.azimuth += 0.4;
      redraw();
    }
    for (const [id, points] of [["shape", state.drawn], ["original", state.original]]) {
      const canvas = el(id);
      if (points === null || !canvas.clientWidth) continue;
      const width = Math.round(canvas.clientWidth * devicePixelRatio), height = Math.round(canvas.clientHeight * devicePixelRatio);
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      painter.paint(canvas, points, camera, look());
    }
  });
}

function turnable(canvas) {
  const fingers = new Map();
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => fingers.delete(event.pointerId);
  canvas.onpointermove = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [x, y] = [event.clientX - before[0], event.clientY - before[1]];
    const reach = canvas.clientHeight;
    if (fingers.size === 2) {
      const [other] = [...fingers].find(([id]) => id !== event.pointerId).slice(1);
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
      zoom(apart(before) / Math.max(1, apart([event.clientX, event.clientY])));
    } else if (event.shiftKey || event.buttons === 2) {
      camera.x += (2 * x) / canvas.clientWidth;
      camera.y -= (2 * y) / reach;
    } else {
      camera.azimuth -= (180 * x) / reach;
      camera.elevation = Math.max(-90, Math.min(90, camera.elevation + (180 * y) / reach));
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    redraw();
  };
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.ondblclick = () => el("rest").click();
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(event.deltaY / 600));
    redraw();
  }, { passive: false });
}
const zoom = (factor) => (camera.distance = Math.max(1.2, Math.min(12, camera.distance * factor)));

let turn = 0; // answers that arrive late are dropped
async function show(code) {
  const mine = ++turn;
  const stored = code === state.facts.code;
  state.code = code;
  el("caption").textContent = `decoded from ${code.length / 2} bytes`;
  drawLatents();
  keepPlace();
  const [drawn, near] = await Promise.all([
    stored ? ask("shape", state.record) : ask("decode", code), ask("near", code, NEAREST, stored ? state.record : null),
  ]);
  if (mine !== turn) return;
  state.drawn = drawn;
  redraw();
  el("near").replaceChildren(...near.map((hit) => cell(hit.record, hit.name, apart(hit.apart))));
  await paintThumbs();
}

const choose = guard(async (record, code = null) => {
  const mine = ++turn;
  const [facts, original] = await Promise.all([ask("record", record), ask("original", record)]);
  if (mine !== turn) return;
  Object.assign(state, { record, facts, original: original.length ? original : null });
  el("beside").hidden = state.original === null;
  el("name").textContent = facts.name;
  el("facts").textContent = told(facts).join(" · ");
  for (const button of document.querySelectorAll(".record")) mark(button);
  await show(code ?? facts.code);
});
function told({ points, distortion, meta }) {
  const known = [points !== null && `${points.toLocaleString("en")} points`, distortion !== null && `CD ${(1e4 * distortion).toFixed(1)}e-4`];
  const attached = Object.entries(meta).map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return [...known.filter(Boolean), ...attached];
}

// ---- latents: bits as switches, numbers as sliders

const apart = (far) => (!state.latents.binary ? far.toPrecision(3) : far === 1 ? "1 bit" : `${far} bits`);

function makeLatents({ size, ranges }) {
  el("kind").textContent = state.latents.binary ? "bits" : "latents";
  el("latents").classList.toggle("numbers", !state.latents.binary);
  for (let i = 0; i < size; i++) el("latents").append(state.latents.binary ? makeSwitch(i) : makeSlider(i, ...ranges[i]));
}

function makeSwitch(i) {
  const button = document.createElement("button");
  button.setAttribute("role", "switch");
  button.title = button.ariaLabel = `bit ${i}`;
  button.onclick = guard(() => show(hex(flipped(parse(state.code), i))));
  return button;
}

/** A slider over somewhat more than the values that records have. */
function makeSlider(i, low, high) {
  const wider = (high - low) / 4 || 1;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: low - wider, max: high + wider, step: "any", ariaLabel: `latent ${i}` });
  slider.oninput = guard(() => {
    const values = state.latents.unpack(parse(state.code));
    values[i] = slider.value;
    return show(hex(state.latents.pack(values)));
  });
  return slider;
}

function drawLatents() {
  const code = parse(state.code), stored = state.latents.shown(parse(state.facts.code));
  state.latents.shown(code).forEach((value, i) => {
    const control = el("latents").children[i];
    if (state.latents.binary) control.setAttribute("aria-checked", bitOf(code, i) === 1);
    else {
      control.title = `latent ${i}: ${value.toPrecision(3)}`;
      control.value = value;
    }
    control.classList.toggle("changed", value !== stored[i]);
  });
  el("hex").textContent = code.length > SHORT ? `${hex(code.slice(0, SHORT))} …` : state.code;
  el("reset").disabled = state.code === state.facts.code;
}

// ---- records, as thumbnails

const thumbs = new Map(); // record -> painted canvas, the oldest first

function cell(record, name, caption) {
  const button = document.createElement("button");
  button.className = "record";
  button.dataset.record = record;
  button.title = name;
  button.onclick = () => choose(record);
  const label = document.createElement("span");
  label.textContent = caption;
  button.append(picture(record), label);
  mark(button);
  return button;
}

function mark(button) {
  button.classList.toggle("chosen", Number(button.dataset.record) === state.record);
  button.ariaSelected = Number(button.dataset.record) === state.record;
}

/** A small canvas, to be painted by paintThumbs unless it is known. */
function picture(record) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.round(CELL.picture * devicePixelRatio);
  canvas.dataset.of = record;
  if (thumbs.has(record)) copy(record, canvas);
  return canvas;
}
function copy(record, canvas) {
  canvas.getContext("2d").drawImage(thumbs.get(record), 0, 0);
  delete canvas.dataset.of;
}

let painting = null;
/** Paint what is on the page and not yet painted, a few at a time. */
function paintThumbs() {
  return (painting ??= (async () => {
    for (;;) {
      const empty = [...document.querySelectorAll("canvas[data-of]")];
      const records = [...new Set(empty.map((canvas) => Number(canvas.dataset.of)))].slice(0, AHEAD);
      if (!records.length) break;
      const missing = records.filter((record) => !thumbs.has(record));
      const [clouds, colours] = missing.length ? await Promise.all([ask("shapes", missing), ask("colours", missing)]) : [[], []];
      missing.forEach((record, i) => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = Math.round(CELL.picture * devicePixelRatio);
        painter.paint(canvas, clouds[i], { ...REST, distance: 4.2 }, { radius: 0.026, dark: isDark(), colour: colours[i] });
        thumbs.set(record, canvas);
        if (thumbs.size > KEPT) thumbs.delete(thumbs.keys().next().value);
      });
      for (const canvas of empty) if (thumbs.has(Number(canvas.dataset.of))) copy(Number(canvas.dataset.of), canvas);
    }
  })().finally(() => (painting = null)));
}

// ---- the grid: only the rows in sight exist; `top` is how far it is scrolled, in pixels of the whole

let top_ = 0, placed = 0; // and the scrollbar's place that goes with it
function measure() {
  const columns = Math.max(1, Math.floor(el("grid").clientWidth / CELL.width));
  const whole = Math.ceil((state.shown?.length ?? 0) / columns) * CELL.height;
  const height = el("grid").clientHeight;
  return { columns, whole, height, scale: whole > TALLEST ? (whole - height) / (TALLEST - height) : 1 };
}

function scrollTo(top) {
  const { whole, height, scale } = measure();
  top_ = Math.max(0, Math.min(top, whole - height));
  el("grid").scrollTop = top_ / scale;
  placed = el("grid").scrollTop;
}

let rolled = 0;
const drawGrid = guard(async () => {
  const mine = ++rolled;
  const { columns, whole, height } = measure();
  el("roll").style.height = `${Math.min(whole, TALLEST)}px`;
  const first = Math.floor(top_ / CELL.height) * columns;
  const records = Array.from(state.shown.subarray(first, first + (Math.ceil(height / CELL.height) + 1) * columns));
  const names = await ask("names", records);
  if (mine !== rolled) return;
  const left = (el("grid").clientWidth - columns * CELL.width) / 2;
  el("roll").replaceChildren(...records.map((record, i) => {
    const place = first + i;
    const button = cell(record, names[i], names[i].split("/").pop());
    button.tabIndex = -1;
    button.setAttribute("role", "option");
    button.style.left = `${left + (place % columns) * CELL.width}px`;
    button.style.top = `${el("grid").scrollTop + Math.floor(place / columns) * CELL.height - top_}px`;
    return button;
  }));
  await paintThumbs();
});

function scrolled() {
  const grid = el("grid");
  if (Math.abs(grid.scrollTop - placed) < 1) return;
  placed = grid.scrollTop;
  top_ = grid.scrollTop * measure().scale;
  drawGrid();
}

/** Choose the shape `by` places further in the grid, and scroll to it. */
function step(by) {
  const { columns, height } = measure();
  const shown = state.shown;
  const at = shown.indexOf(state.record);
  const place = Math.max(0, Math.min(shown.length - 1, at < 0 ? 0 : at + by));
  if (!shown.length) return;
  const row = Math.floor(place / columns) * CELL.height;
  if (row < top_ || row + CELL.height > top_ + height) {
    scrollTo(row < top_ ? row : row + CELL.height - height);
    drawGrid();
  }
  choose(shown[place]);
}

// ---- what the grid shows

let selecting = 0;
const select = guard(async () => {
  const mine = ++selecting;
  const shown = await ask("select", { text: el("find").value, cluster: state.cluster, chosen: state.chosen, sort: el("sort").value });
  if (mine !== selecting) return;
  state.shown = shown;
  const all = state.about.count;
  const part = shown.length === all ? "" : `${shown.length.toLocaleString("en")} of `;
  const loading = state.loaded ? "" : " (reading names …)";
  el("count").textContent = `${part}${all.toLocaleString("en")} shapes${loading}`;
  el("empty").hidden = shown.length > 0;
  el("grid").hidden = shown.length === 0;
  scrollTo(0);
  await drawGrid();
});

function drawKinds(kinds) {
  el("kinds").hidden = kinds.length === 0;
  el("kinds").replaceChildren(...kinds.map(({ kind, values }) => {
    const made = document.createElement("select");
    made.ariaLabel = made.name = kind;
    made.append(new Option(`any ${kind}`, ""), ...values.map(({ value, count }) => new Option(`${value} (${count.toLocaleString("en")})`, value)));
    made.value = state.chosen[kind] ?? "";
    made.onchange = () => {
      if (made.selectedIndex) state.chosen[kind] = made.value;
      else delete state.chosen[kind];
      select();
    };
    return made;
  }));
}

const cluster = guard(async () => {
  const k = Number(el("k").value);
  state.cluster = null;
  el("clusters").hidden = !k;
  if (k) drawClusters(await ask("clusters", k));
  await select();
});

function drawClusters(clusters) {
  state.clusters = clusters;
  el("clusters").replaceChildren(...clusters.map(({ number, size, record, label, share, whole }) => {
    const button = document.createElement("button");
    button.ariaPressed = number === state.cluster;
    button.onclick = () => {
      state.cluster = state.cluster === number ? null : number;
      for (const [i, other] of [...el("clusters").children].entries()) other.ariaPressed = clusters[i].number === state.cluster;
      el("all").hidden = state.cluster === null;
      select();
    };
    const lines = [`${number + 1}: ${whole ? "" : "about "}${size.toLocaleString("en")}`, label && `${Math.round(100 * share)} % ${label.split("/").pop()}`];
    button.title = `${lines[0]} shapes${label && `, ${Math.round(100 * share)} % ${label}`}`;
    button.append(picture(record), ...lines.map((line) => Object.assign(document.createElement("span"), { textContent: line || " " })));
    return button;
  }));
  el("all").hidden = state.cluster === null;
  return paintThumbs();
}

function showAll() {
  el("find").value = "";
  el("sort").value = "archive";
  Object.assign(state, { chosen: {}, cluster: null });
  for (const made of el("kinds").children) made.value = "";
  for (const button of el("clusters").children) button.ariaPressed = false;
  el("all").hidden = true;
  select();
}

// ---- from one shape to another

function markEnd(end) {
  return guard(async () => {
    state[end] = { code: state.code, name: el("name").textContent };
    el("ends").textContent = `${state.start?.name ?? "?"} → ${state.end?.name ?? "?"}`;
    if (!state.start || !state.end) return;
    state.path = await ask("path", state.start.code, state.end.code, STEPS);
    el("slider").max = state.path.length - 1;
    el("slider").value = end === "start" ? 0 : state.path.length - 1;
    el("slider").disabled = false;
  });
}

// ---- what can be saved, and a link to it

/** The points as a binary PLY, at the record's place and size where it has one. */
function ply(unit, frame) {
  const count = unit.length / 3;
  const header = `ply\nformat binary_little_endian 1.0\nelement vertex ${count}\nproperty double x\nproperty double y\nproperty double z\nend_header\n`;
  const data = new DataView(new ArrayBuffer(8 * unit.length));
  const turn = frame?.turn ?? [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  for (let i = 0; i < unit.length; i++) {
    const from = i - (i % 3);
    const turned = turn.reduce((sum, row, k) => sum + unit[from + k] * row[i % 3], 0); // the inverse: its transpose
    data.setFloat64(8 * i, frame ? turned * frame.radius + frame.centre[i % 3] : turned, true);
  }
  return new Blob([header, data], { type: "application/octet-stream" });
}

function png() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1600, height: 1600 });
  painter.paint(canvas, state.drawn, camera, { ...look(), backdrop: isDark() ? "#14191e" : "#ffffff" });
  return new Promise((resolve) => canvas.toBlob(resolve));
}

function save(blob, extension) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${el("name").textContent.split("/").pop()}.${extension}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The address names the shape shown: the record, and its code where that was changed. */
function keepPlace() {
  const place = new URLSearchParams({ name: state.facts.name });
  if (state.code !== state.facts.code) place.set("code", state.code);
  history.replaceState(null, "", `#${place}`);
}

const goToPlace = guard(async () => {
  const place = new URLSearchParams(location.hash.slice(1));
  const code = place.get("code")?.match(/^([0-9a-f]{2})+$/)?.[0];
  let record = 0, lost = null;
  if (place.has("name")) record = await ask("find", place.get("name")).catch((error) => ((lost = error), 0));
  await choose(record, lost || !code || !state.latents.depth(code.length / 2) ? null : code);
  if (lost) throw lost;
});

// ---- keys

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  ArrowUp: () => step(-measure().columns), ArrowDown: () => step(measure().columns),
  Home: () => step(-Infinity), End: () => step(Infinity),
  r: () => el("rest").click(), t: () => el("turn").click(), g: () => el("guides").click(), d: () => el("dark").click(),
  "+": () => resize(1.15), "-": () => resize(1 / 1.15), "/": () => el("find").focus(),
};
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (event.target.matches("input, select")) return;
  event.preventDefault();
  KEYS[event.key]();
}
function resize(factor) {
  el("size").value = Number(el("size").value) * factor;
  redraw();
}

function toggle(id, action) {
  el(id).onclick = () => {
    el(id).ariaPressed = el(id).ariaPressed !== "true";
    action();
  };
}

function setDark(dark) {
  document.documentElement.classList.toggle("dark", dark);
  thumbs.clear();
  if (!state.about) return;
  drawClusters(state.clusters);
  redraw();
  drawGrid();
  show(state.code);
}

// ---- begin

guard(async () => {
  setDark(matchMedia("(prefers-color-scheme: dark)").matches);
  const parts = [...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.textContent]);
  const about = (state.about = await ask("begin", parts.length ? Object.fromEntries(parts) : null));
  const { title, count } = about;
  state.latents = new Latents(about);
  el("title").textContent = title;
  document.title = `${title} · pcbin view`;
  makeLatents(about);
  state.shown = Uint32Array.from({ length: count }, (_, i) => i);
  let typed;
  el("find").oninput = () => {
    clearTimeout(typed);
    typed = setTimeout(select, PAUSE);
  };
  el("sort").onchange = select;
  el("k").onchange = cluster;
  el("all").onclick = () => {
    state.cluster = null;
    for (const button of el("clusters").children) button.ariaPressed = false;
    el("all").hidden = true;
    select();
  };
  el("clear").onclick = showAll;
  el("start").onclick = markEnd("start");
  el("end").onclick = markEnd("end");
  el("slider").oninput = guard(() => show(state.path[el("slider").value]));
  el("reset").onclick = guard(() => show(state.facts.code));
  el("rest").onclick = () => {
    Object.assign(camera, REST);
    redraw();
  };
  el("size").oninput = redraw;
  toggle("turn", redraw);
  toggle("guides", redraw);
  el("dark").onclick = () => setDark(!isDark());
  el("ply").onclick = () => save(ply(state.drawn, state.facts.frame), "ply");
  el("png").onclick = guard(async () => save(await png(), "png"));
  el("link").onclick = guard(async () => {
    await navigator.clipboard.writeText(location.href);
    el("link").textContent = "copied";
    setTimeout(() => (el("link").textContent = "link"), 1500);
  });
  turnable(el("shape"));
  turnable(el("original"));
  const grid = el("grid");
  grid.onscroll = scrolled;
  grid.addEventListener("wheel", (event) => {
    if (measure().scale === 1) return; // the browser's own scrolling is right
    event.preventDefault();
    scrollTo(top_ + event.deltaY * (event.deltaMode ? CELL.height / 3 : 1));
    drawGrid();
  }, { passive: false });
  document.onkeydown = pressed;
  for (const kind of ["click", "keydown", "input"]) document.addEventListener(kind, () => (el("error").hidden = true), true);
  window.onhashchange = goToPlace;
  await Promise.all([select(), goToPlace()]);
  new ResizeObserver(() => drawGrid()).observe(grid);
  new ResizeObserver(redraw).observe(el("stage"));
})();

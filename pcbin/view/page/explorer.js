"use strict";
// The explorer page: a rolling grid of records, one shape, its bits. All data comes from the server that sent this page.

const CELL = { width: 108, height: 122 };
const NEAREST = 10;
const STEPS = 16;
const el = (id) => document.getElementById(id);

const state = {
  count: 0,
  shown: null, // records in the grid; null for all
  record: null, // the record chosen
  stored: "", // its code
  code: "", // the code drawn, both in hexadecimal
  original: null, // the record's source cloud, where it is at hand
  start: null, end: null, path: [],
};

// ---- the server

async function ask(path, query = {}) {
  const response = await fetch(path + "?" + new URLSearchParams(query));
  if (!response.ok) throw new Error(await response.text());
  return response;
}
const json = async (path, query) => (await ask(path, query)).json();
const points = async (path, query) => new Float32Array(await (await ask(path, query)).arrayBuffer());

function guard(action) {
  return async (...given) => {
    try {
      await action(...given);
      el("error").hidden = true;
    } catch (error) {
      el("error").textContent = error.message;
      el("error").hidden = false;
    }
  };
}

// ---- bits: bit i of a code is bit i % 8, from the least significant, of byte i >> 3

const byteAt = (code, i) => parseInt(code.slice(2 * i, 2 * i + 2), 16);
const bit = (code, i) => (byteAt(code, i >> 3) >> (i % 8)) & 1;
function flipped(code, i) {
  const byte = (byteAt(code, i >> 3) ^ (1 << (i % 8))).toString(16).padStart(2, "0");
  return code.slice(0, 2 * (i >> 3)) + byte + code.slice(2 * (i >> 3) + 2);
}

function makeBits(count) {
  for (let i = 0; i < count; i++) {
    const button = document.createElement("button");
    button.setAttribute("role", "switch");
    button.title = button.ariaLabel = `bit ${i}`;
    button.onclick = guard(() => show(flipped(state.code, i)));
    el("bits").append(button);
  }
}

function drawBits() {
  [...el("bits").children].forEach((button, i) => {
    button.setAttribute("aria-checked", bit(state.code, i) === 1);
    button.classList.toggle("changed", bit(state.code, i) !== bit(state.stored, i));
  });
  el("hex").textContent = state.code;
}

// ---- the shape

function trace(flat, scene) {
  const axis = (k) => Array.from({ length: flat.length / 3 }, (_, i) => flat[3 * i + k]);
  const height = axis(2);
  const marker = { size: 1.7, color: height, colorscale: [[0, "#14324f"], [1, "#6fa8d0"]] };
  return { type: "scatter3d", mode: "markers", x: axis(0), y: axis(1), z: height, marker, scene, hoverinfo: "skip" };
}

function drawShape(decoded) {
  const axis = { range: [-1, 1], visible: false };
  const camera = el("shape").layout?.scene?.camera ?? { eye: { x: 0.8, y: -1.14, z: 0.56 } };
  const scene = { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "cube", camera };
  const both = state.original !== null;
  const layout = {
    autosize: true, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false,
    scene: { ...scene, domain: { x: both ? [0, 0.5] : [0, 1] } },
    scene2: { ...scene, domain: { x: [0.5, 1] } },
  };
  const traces = [trace(decoded, "scene")];
  if (both) traces.push(trace(state.original, "scene2"));
  else delete layout.scene2;
  el("captions").lastElementChild.hidden = !both;
  return Plotly.react("shape", traces, layout, { responsive: true, displaylogo: false, displayModeBar: false });
}

function turnTogether() {
  el("shape").on("plotly_relayout", (change) => {
    const moved = Object.keys(change).filter((key) => key.endsWith(".camera"));
    if (state.original === null || moved.length !== 1) return; // two moved: by this function
    const camera = change[moved[0]];
    return Plotly.relayout("shape", { "scene.camera": camera, "scene2.camera": camera });
  });
}

let turn = 0; // answers that arrive late are dropped
async function show(code) {
  const mine = ++turn;
  state.code = code;
  drawBits();
  const [decoded, near] = await Promise.all([points("shape", { code }), json("near", { code, k: NEAREST })]);
  if (mine !== turn) return;
  await drawShape(decoded);
  await drawNear(near);
}

const choose = guard(async (record) => {
  const [facts, original] = await Promise.all([json("record", { record }), points("original", { record })]);
  state.record = record;
  state.stored = facts.code;
  state.original = original.length ? original : null;
  el("name").textContent = facts.name;
  const { record: number, code, name, ...rest } = facts;
  el("facts").textContent = Object.entries(rest).map(([key, value]) => `${key} ${value}`).join(" · ");
  drawGrid();
  await show(facts.code);
});

// ---- records, as thumbnails

function cell(record, name, caption = name.split("/").pop()) {
  const button = document.createElement("button");
  button.className = "record" + (record === state.record ? " chosen" : "");
  button.dataset.record = record;
  const image = document.createElement("img");
  image.src = `thumbnail?record=${record}`;
  image.alt = "";
  const label = document.createElement("span");
  label.textContent = caption;
  button.title = name;
  button.append(image, label);
  button.onclick = () => choose(record);
  return button;
}

async function drawNear(near) {
  const names = await json("names", { records: near.map((hit) => hit.record).join() });
  el("near").replaceChildren(...near.map((hit, i) => cell(hit.record, names[i], `${hit.bits} bits`)));
}

let rolled = 0;
const drawGrid = guard(async () => {
  const mine = ++rolled;
  const grid = el("grid");
  const count = state.shown ? state.shown.length : state.count;
  const columns = Math.max(1, Math.floor(grid.clientWidth / CELL.width));
  el("roll").style.height = `${Math.ceil(count / columns) * CELL.height}px`;
  const first = Math.floor(grid.scrollTop / CELL.height) * columns;
  const last = Math.min(count, first + (Math.ceil(grid.clientHeight / CELL.height) + 1) * columns);
  const places = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
  const records = places.map((place) => (state.shown ? state.shown[place] : place));
  const names = records.length ? await json("names", { records: records.join() }) : [];
  if (mine !== rolled) return;
  el("roll").replaceChildren(...records.map((record, i) => {
    const button = cell(record, names[i]);
    button.style.left = `${(places[i] % columns) * CELL.width}px`;
    button.style.top = `${Math.floor(places[i] / columns) * CELL.height}px`;
    return button;
  }));
});

function filter(records) {
  state.shown = records;
  el("grid").scrollTop = 0;
  return drawGrid();
}

// ---- clusters and names

const cluster = guard(async () => {
  const k = el("k").value;
  const found = k ? await json("clusters", { k }) : [];
  const button = (text, records) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.onclick = () => {
      for (const other of el("clusters").children) other.classList.toggle("chosen", other === made);
      filter(records);
    };
    return made;
  };
  const buttons = found.map((one, i) => button(`${i} (${one.size})`, one.records));
  el("clusters").replaceChildren(...(k ? [button("all", null), ...buttons] : []));
  if (!k) await filter(null);
});

const find = guard(async () => {
  const text = el("find").value;
  await filter(text ? await json("find", { text }) : null);
});

// ---- from one shape to another

function mark(end) {
  return guard(async () => {
    state[end] = { code: state.code, name: el("name").textContent };
    el("ends").textContent = `${state.start?.name ?? "?"} → ${state.end?.name ?? "?"}`;
    if (!state.start || !state.end) return;
    state.path = await json("path", { a: state.start.code, b: state.end.code, steps: STEPS });
    el("slider").max = state.path.length - 1;
    el("slider").value = end === "start" ? 0 : state.path.length - 1;
    el("slider").disabled = false;
  });
}

// ---- begin

guard(async () => {
  const collection = await json("collection");
  state.count = collection.count;
  el("title").textContent = `${collection.title}: ${collection.count.toLocaleString()} shapes`;
  el("captions").firstElementChild.textContent = `decoded from ${collection.bits / 8} bytes`;
  document.title = `${collection.title} · pcbin view`;
  makeBits(collection.bits);
  el("grid").onscroll = drawGrid;
  window.onresize = drawGrid;
  el("k").onchange = cluster;
  el("find").oninput = find;
  el("start").onclick = mark("start");
  el("end").onclick = mark("end");
  el("slider").oninput = guard(() => show(state.path[el("slider").value]));
  el("reset").onclick = guard(() => show(state.stored));
  await choose(0);
  turnTogether();
})();

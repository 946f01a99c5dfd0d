"use strict";
// The collection, in a worker of the page: names, filters, orders; of its codes it asks spaces.js. Where records and
// clouds come from is its source's affair: the server that sent the page (Served), or the page itself (Embedded, of
// embedded.js). Knows nothing of what is shown.

if (typeof Latents === "undefined") importScripts("codes.js", "spaces.js");

const SAMPLE = 5_000; // codes that the means of clusters are computed from, and that are assigned at once
const BLOCK = 50_000; // codes assigned between two looks at other questions
const VALUES = 300; // different values of a kind of metadata that can still be chosen from
const KINDS = 12; // kinds of metadata to choose from, at most

class Served {
  async ask(path, query = {}) {
    const response = await fetch(path + "?" + new URLSearchParams(query));
    if (!response.ok) throw new Error(await response.text());
    return response;
  }
  about = async () => (await this.ask("about")).json();
  codes = async () => new Uint8Array(await (await this.ask("codes")).arrayBuffer());
  distortion = async () => new Float32Array(await (await this.ask("distortion")).arrayBuffer());
  part = async (number) => (await this.ask("part", { number })).json();
  record = async (record) => (await this.ask("record", { record })).json();
  find = async (name) => (await this.ask("find", { name })).json();
  original = async (record) => new Float32Array(await (await this.ask("original", { record })).arrayBuffer());
  clouds = async (query) => new Float32Array(await (await this.ask("clouds", query)).arrayBuffer());
  shapes = (records) => this.clouds({ records: records.join() });
  decode = (codes) => this.clouds({ codes: codes.join() });
}

let source, about, space; // `space` are the codes
const known = { count: 0, names: [], lower: [], colours: [], starts: [], distortion: null }; // of the parts that are here
const kinds = new Map(); // kind of metadata -> { values: Map(value -> number), of: number per record, 0 for none }
const orders = new Map(); // way to sort -> records in that order
let clustering = null; // { k, of: cluster per record, counted: how many are assigned }

// ---- what the page asks

const answers = {
  async begin(embedded) {
    source = embedded ? new Embedded(embedded) : new Served();
    about = await source.about();
    const codes = await source.codes(), latents = new Latents(about);
    space = latents.binary ? new Bits(codes, latents) : new Numbers(codes, latents, about.bytes);
    await load(0);
    rest = source.distortion().then((found) => (known.distortion = found));
    for (let number = 1; number < about.parts; number++) rest = rest.then(() => load(number));
    rest = rest.then(pause).then(() => tell({ event: "loaded", kinds: choices() }));
    return latents.binary ? about : { ...about, ranges: space.ranges(choice(about.count, SAMPLE)) };
  },

  record: (record) => source.record(record),
  original: (record) => source.original(record),
  shape: (record) => source.shapes([record]),
  decode: (code) => source.decode([code]),
  names: (records) => Array.from(records, name),
  colours: (records) => records.map((record) => record < known.count ? ofRecord(known.colours, record) : null),

  async shapes(records) {
    const all = await source.shapes(records);
    return records.map((_, i) => all.slice(i * 3 * about.points, (i + 1) * 3 * about.points));
  },

  async find(name) {
    for (let part = 0; part < known.names.length; part++) {
      const at = known.names[part].indexOf(name);
      if (at >= 0) return known.starts[part] + at;
    }
    return source.find(name);
  },

  /** The records with a text in their names (all of its words), of a cluster, with values of metadata, in an order. */
  async select({ text, cluster, chosen, sort }) {
    await (sort === "name" || sort.startsWith("distortion") ? rest : null);
    const keep = new Uint8Array(about.count).fill(1);
    for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) meet(keep, holding(word));
    if (cluster !== null) for (let i = 0; i < about.count; i++) keep[i] &= clustering.of[i] === cluster;
    for (const [kind, value] of Object.entries(chosen)) {
      const { values, of } = kinds.get(kind);
      const wanted = values.get(value);
      for (let i = 0; i < about.count; i++) keep[i] &= of[i] === wanted;
    }
    const order = ordered(sort);
    const found = new Uint32Array(about.count);
    let count = 0;
    for (let i = 0; i < about.count; i++) {
      const record = order === null ? i : order[i];
      if (keep[record]) found[count++] = record;
    }
    return found.slice(0, count);
  },

  /** The k records nearest to a code, without one of them. */
  near(code, k, except) {
    const distance = space.distances(parse(code));
    const hits = []; // the nearest first, of equals the first
    for (let record = 0; record < about.count; record++) {
      if (record === except || (hits.length === k && distance[record] >= distance[hits[k - 1]])) continue;
      let place = hits.length;
      while (place && distance[record] < distance[hits[place - 1]]) place--;
      hits.splice(place, 0, record);
      hits.length = Math.min(hits.length, k);
    }
    return hits.map((record) => ({ record, apart: distance[record], name: name(record) }));
  },

  /** Clusters of a sample at once; an event tells when all records are assigned. */
  clusters(k) {
    if (!(k >= 1 && k <= 100 && k <= about.count)) throw new Error(`cannot make ${k} clusters of ${about.count} shapes`);
    const mine = (clustering = { k, of: new Uint8Array(about.count).fill(255), counted: 0 });
    const sample = choice(about.count, SAMPLE);
    const centres = means(space, sample, k);
    for (const record of sample) mine.of[record] = nearest(space, centres, record);
    mine.counted = sample.length;
    if (sample.length < about.count) assign(mine, centres);
    return described(mine, sample);
  },

  path: async (a, b, steps) => (await space.path(parse(a), parse(b), steps, decodes)).map(hex),
};

onmessage = async ({ data: { id, method, given } }) => {
  try {
    tell({ id, answer: await answers[method](...given) });
  } catch (error) {
    tell({ id, error: error.message });
  }
};

const tell = (message) => postMessage(message);
const pause = () => new Promise((resolve) => setTimeout(resolve));

// ---- names and metadata, part by part

let rest = Promise.resolve();

async function load(number) {
  const { names, meta, colours } = await source.part(number);
  const first = known.count;
  known.starts.push(first);
  known.names.push(names);
  known.colours.push(colours);
  known.lower.push(names.join("\n").toLowerCase());
  names.forEach((name, i) => {
    const facts = meta?.[i] ?? {};
    note("label", facts.label ?? name.slice(0, Math.max(0, name.lastIndexOf("/"))), first + i);
    for (const kind in facts) if (kind !== "label") note(kind, facts[kind], first + i);
  });
  known.count += names.length;
}

/** Keep a value of a kind of metadata, unless the kind has too many values to choose from. */
function note(kind, value, record) {
  if (value === "" || value === null || typeof value === "object") return;
  if (!kinds.has(kind) && kinds.size < KINDS) kinds.set(kind, { values: new Map(), of: new Uint16Array(about.count) });
  const { values, of } = kinds.get(kind) ?? {};
  if (!values || values.size > VALUES) return;
  const text = String(value);
  if (!values.has(text)) values.set(text, values.size + 1);
  of[record] = values.get(text);
}

function choices() {
  const found = [];
  for (const [kind, { values, of }] of kinds) {
    if (values.size < 2 || values.size > VALUES) continue;
    const count = new Uint32Array(values.size + 1);
    for (const number of of) count[number]++;
    const all = [...values].map(([value, number]) => ({ value, count: count[number] }));
    found.push({ kind, values: all.sort((a, b) => (a.value < b.value ? -1 : 1)) });
  }
  return found;
}

/** The part that holds a record, as far as parts are here. */
function partOf(record) {
  let low = 0, high = known.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (known.starts[middle] <= record) low = middle;
    else high = middle - 1;
  }
  return low;
}

function name(record) {
  return record < known.count ? ofRecord(known.names, record) : "";
}

/** What a list of a list for each part, or null, has for a record. */
function ofRecord(lists, record) {
  const part = partOf(record);
  return lists[part]?.[record - known.starts[part]];
}

/** Which records have a text in their names. */
function holding(text) {
  const found = new Uint8Array(about.count);
  known.lower.forEach((all, part) => {
    let record = known.starts[part], end = all.indexOf("\n"); // of the name looked at
    for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, end + 1)) {
      while (end >= 0 && end < at) {
        end = all.indexOf("\n", end + 1);
        record++;
      }
      found[record] = 1;
      if (end < 0) break;
    }
  });
  return found;
}

function meet(keep, found) {
  for (let i = 0; i < keep.length; i++) keep[i] &= found[i];
}

/** All records in an order; null for that of the archive. Unknown distortions come last. */
function ordered(sort) {
  if (sort === "archive") return null;
  if (!orders.has(sort)) {
    const all = Uint32Array.from({ length: about.count }, (_, i) => i);
    const { distortion } = known;
    if (sort === "name") {
      const names = known.names.flat();
      all.sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b));
    } else {
      const sign = sort === "distortion" ? 1 : -1;
      const key = distortion.map((value) => (Number.isNaN(value) ? Infinity : sign * value));
      all.sort((a, b) => (key[a] === key[b] ? a - b : key[a] - key[b]));
    }
    orders.set(sort, all);
  }
  return orders.get(sort);
}

// ---- clusters

/** Assign all records, a block at a time, unless others are asked for meanwhile. */
async function assign(mine, centres) {
  for (let start = 0; start < about.count; start += BLOCK) {
    await pause();
    if (mine !== clustering) return;
    for (let i = start; i < Math.min(about.count, start + BLOCK); i++) mine.of[i] = nearest(space, centres, i);
  }
  mine.counted = about.count;
  tell({ event: "clustered", clusters: described(mine, null) });
}

/** Of each cluster: number, size (estimated while only a sample is assigned), a record, the commonest label. */
function described({ k, of, counted }, sample) {
  const size = new Uint32Array(k), first = new Int32Array(k).fill(-1), labels = Array.from({ length: k }, () => new Map());
  const label = kinds.get("label");
  const count = (record) => {
    const c = of[record];
    size[c]++;
    if (first[c] < 0) first[c] = record;
    if (label?.of[record]) labels[c].set(label.of[record], (labels[c].get(label.of[record]) ?? 0) + 1);
  };
  if (sample) sample.forEach(count);
  else for (let i = 0; i < about.count; i++) count(i);
  const texts = label ? [...label.values.keys()] : [];
  return Array.from({ length: k }, (_, number) => {
    const [most] = [...labels[number]].sort((a, b) => b[1] - a[1]);
    return {
      number,
      size: Math.round((size[number] * about.count) / counted),
      record: first[number],
      label: most ? texts[most[0] - 1] : "",
      share: most ? most[1] / size[number] : 0,
      whole: counted === about.count,
    };
  }).filter((cluster) => cluster.size);
}

/** The clouds of codes (as bytes). */
async function decodes(list) {
  const clouds = [];
  for (let start = 0; start < list.length; start += BATCH) {
    const part = list.slice(start, start + BATCH);
    const all = await source.decode(part.map(hex));
    part.forEach((_, i) => clouds.push(all.subarray(i * 3 * about.points, (i + 1) * 3 * about.points)));
  }
  return clouds;
}

"use strict";
// The collection, in a worker of the page: filters, orders, neighbours, clusters and paths of its codes. Where records
// and clouds come from is its source's affair: the server that sent the page (Served), or the page itself (Embedded, of
// embedded.js). Knows nothing of what is shown.

const SAMPLE = 5_000; // codes that the means of clusters are computed from, and that are assigned at once
const ROUNDS = 20; // of Lloyd's k-means, at most
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

let source, about, codes; // codes (n * bytes) uint8
const known = { count: 0, names: [], lower: [], starts: [], distortion: null }; // of the parts that are here
const kinds = new Map(); // kind of metadata -> { values: Map(value -> number), of: number per record, 0 for none }
const orders = new Map(); // way to sort -> records in that order
let clustering = null; // { k, of: cluster per record, counted: how many are assigned }

// ---- what the page asks

const answers = {
  async begin(embedded) {
    source = embedded ? new Embedded(embedded) : new Served();
    about = await source.about();
    codes = await source.codes();
    await load(0);
    rest = source.distortion().then((found) => (known.distortion = found));
    for (let number = 1; number < about.parts; number++) rest = rest.then(() => load(number));
    rest = rest.then(pause).then(() => tell({ event: "loaded", kinds: choices() }));
    return about;
  },

  record: (record) => source.record(record),
  original: (record) => source.original(record),
  shape: (record) => source.shapes([record]),
  decode: (code) => source.decode([code]),
  names: (records) => Array.from(records, name),

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
    const distance = hamming(parse(code));
    const often = new Uint32Array(about.bits + 1);
    for (let i = 0; i < about.count; i++) if (i !== except) often[distance[i]]++;
    let limit = 0;
    for (let within = often[0]; within < k && limit < about.bits; ) within += often[++limit];
    const hits = [];
    for (let i = 0; i < about.count; i++) if (i !== except && distance[i] <= limit) hits.push(i);
    hits.sort((a, b) => distance[a] - distance[b] || a - b);
    return hits.slice(0, k).map((record) => ({ record, bits: distance[record], name: name(record) }));
  },

  /** Clusters of a sample at once; an event tells when all records are assigned. */
  clusters(k) {
    if (!(k >= 1 && k <= 100 && k <= about.count)) throw new Error(`cannot make ${k} clusters of ${about.count} shapes`);
    const mine = (clustering = { k, of: new Uint8Array(about.count).fill(255), counted: 0 });
    const sample = choice(about.count, SAMPLE);
    const tables = means(sample, k);
    for (const record of sample) mine.of[record] = nearest(tables, record);
    mine.counted = sample.length;
    if (sample.length < about.count) assign(mine, tables);
    return described(mine, sample);
  },

  path,
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
  const { names, meta } = await source.part(number);
  const first = known.count;
  known.starts.push(first);
  known.names.push(names);
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
  if (record >= known.count) return "";
  const part = partOf(record);
  return known.names[part][record - known.starts[part]];
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

// ---- bits: bit i of a code is bit i % 8, from the least significant, of byte i >> 3

const parse = (code) => Uint8Array.from(code.match(/../g), (byte) => parseInt(byte, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function ones(word) {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The distances of all records from a code, in bits. */
function hamming(query) {
  const found = new Uint16Array(about.count);
  const [all, other] = about.bytes % 4 ? [codes, query] : [words(codes), words(query)];
  for (let i = 0, at = 0; i < about.count; i++) {
    let total = 0;
    for (let j = 0; j < other.length; j++) total += ones(all[at++] ^ other[j]);
    found[i] = total;
  }
  return found;
}
const words = (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

// ---- clusters: Lloyd's k-means on bits, from k-means++ seeds

/** A mean as a table: the squared distance of a code from it is the sum of table[256 * i + byte i] over its bytes. */
function table(mean) {
  const made = new Float32Array(256 * about.bytes);
  for (let i = 0; i < about.bytes; i++) {
    for (let byte = 0; byte < 256; byte++) {
      let sum = 0;
      for (let bit = 0; bit < 8; bit++) sum += (((byte >> bit) & 1) - mean[8 * i + bit]) ** 2;
      made[256 * i + byte] = sum;
    }
  }
  return made;
}

function distance(table, record) {
  const { bytes } = about, all = codes;
  let sum = 0;
  for (let i = 0, at = record * bytes; i < bytes; i++) sum += table[(i << 8) + all[at + i]];
  return sum;
}

function nearest(tables, record) {
  const { bytes } = about, all = codes, at = record * bytes;
  let best = 0, least = Infinity;
  for (let c = 0; c < tables.length; c++) {
    const table = tables[c];
    let sum = 0;
    for (let i = 0; i < bytes && sum < least; i++) sum += table[(i << 8) + all[at + i]];
    if (sum < least) {
      best = c;
      least = sum;
    }
  }
  return best;
}

/** Tables of the means of k clusters of a sample, the largest first. */
function means(sample, k) {
  const random = generator();
  const mean = (record) => Float32Array.from({ length: about.bits }, (_, i) => bit(record, i));
  let tables = [table(mean(sample[Math.floor(random() * sample.length)]))];
  const far = new Float32Array(sample.length).fill(Infinity);
  while (tables.length < k) {
    let total = 0;
    sample.forEach((record, i) => (total += far[i] = Math.min(far[i], distance(tables[tables.length - 1], record))));
    if (!total) throw new Error(`cannot make ${k} clusters of ${tables.length} different codes`);
    let left = random() * total, at = 0;
    while (at < sample.length - 1 && (left -= far[at]) > 0) at++;
    tables.push(table(mean(sample[at])));
  }
  let before = null, size;
  for (let round = 0; round < ROUNDS; round++) {
    const of = sample.map((record) => nearest(tables, record));
    if (before !== null && of.every((cluster, i) => cluster === before[i])) break;
    const sums = Array.from({ length: k }, () => new Float32Array(about.bits));
    size = new Uint32Array(k);
    of.forEach((cluster, i) => {
      size[cluster]++;
      for (let j = 0; j < about.bits; j++) sums[cluster][j] += bit(sample[i], j);
    });
    tables = tables.map((old, c) => (size[c] ? table(sums[c].map((sum) => sum / size[c])) : old));
    before = of;
  }
  return Array.from(tables.keys()).sort((a, b) => size[b] - size[a]).map((c) => tables[c]);
}

const bit = (record, i) => (codes[record * about.bytes + (i >> 3)] >> (i % 8)) & 1;

/** Assign all records, a block at a time, unless others are asked for meanwhile. */
async function assign(mine, tables) {
  for (let start = 0; start < about.count; start += BLOCK) {
    await pause();
    if (mine !== clustering) return;
    for (let i = start; i < Math.min(about.count, start + BLOCK); i++) mine.of[i] = nearest(tables, i);
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

/** At most `most` of n numbers, at random, ascending. */
function choice(n, most) {
  if (n <= most) return Uint32Array.from({ length: n }, (_, i) => i);
  const random = generator();
  const chosen = new Set();
  while (chosen.size < most) chosen.add(Math.floor(random() * n));
  return Uint32Array.from(chosen).sort();
}

/** Random numbers from 0 to 1, the same ones each time (mulberry32). */
function generator(seed = 1) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// ---- from one shape to another

/** Codes from a to b whose decodes change about evenly: bits flip in the order that keeps the sum of their single
 * effects nearest to the blend of the two ends, point by point; stops are even in the way covered. */
async function path(a, b, steps) {
  const start = parse(a), end = parse(b);
  const differing = [];
  for (let i = 0; i < about.bits; i++) if (((start[i >> 3] ^ end[i >> 3]) >> (i % 8)) & 1) differing.push(i);
  if (differing.length < 2) return [...new Set([a, b])];
  const flipped = (code, i) => code.map((byte, at) => (at === i >> 3 ? byte ^ (1 << (i % 8)) : byte));
  const from = await decodes([start, ...differing.map((i) => flipped(start, i))]);
  const to = await decodes([end, ...differing.map((i) => flipped(end, i))]);
  const goal = to[0].map((value, i) => value - from[0][i]);
  const effects = differing.map((_, i) =>
    goal.map((_, p) => (from[i + 1][p] - from[0][p] + to[0][p] - to[i + 1][p]) / 2));
  const left = new Set(differing.keys());
  const here = new Float32Array(goal.length);
  const way = [start], covered = [0];
  for (let done = 1; left.size; done++) {
    const share = done / differing.length;
    let best, least = Infinity;
    for (const i of left) {
      let off = 0;
      for (let p = 0; p < goal.length; p++) off += (here[p] + effects[i][p] - share * goal[p]) ** 2;
      if (off < least) [best, least] = [i, off];
    }
    left.delete(best);
    effects[best].forEach((value, p) => (here[p] += value));
    way.push(flipped(way[way.length - 1], differing[best]));
    covered.push(covered[covered.length - 1] + Math.sqrt(effects[best].reduce((sum, value) => sum + value * value, 0)));
  }
  const stops = new Set([0]);
  for (let step = 1; step <= steps; step++) {
    const aim = (step / steps) * covered[covered.length - 1];
    stops.add(covered.findIndex((length) => length >= aim - 1e-9));
  }
  return [...stops].map((stop) => hex(way[stop]));
}

async function decodes(list) {
  const clouds = [];
  for (let start = 0; start < list.length; start += 32) {
    const part = list.slice(start, start + 32);
    const all = await source.decode(part.map(hex));
    part.forEach((_, i) => clouds.push(all.subarray(i * 3 * about.points, (i + 1) * 3 * about.points)));
  }
  return clouds;
}

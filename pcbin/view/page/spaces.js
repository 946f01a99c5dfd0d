"use strict";
// What can be asked of the codes of a collection: distances, means, clusters, the way from one to another; of bits
// (Bits) and of numbers (Numbers). Runs in the worker; knows neither names nor where codes come from.

const ROUNDS = 20; // of Lloyd's k-means, at most
const BATCH = 32; // clouds decoded at a time

/** Codes of bits, by Hamming distance; `all` holds the first group of each, one after the other. */
class Bits {
  constructor(all, latents) {
    Object.assign(this, { all, latents, bytes: latents.size / 8, count: (8 * all.length) / latents.size });
  }

  /** How far all records are from a code. */
  distances(code) {
    const found = new Uint16Array(this.count);
    const [all, other] = this.bytes % 4 ? [this.all, code] : [words(this.all), words(code.slice(0, this.bytes))];
    const width = this.bytes % 4 ? this.bytes : this.bytes / 4;
    for (let i = 0, at = 0; i < this.count; i++) {
      let total = 0;
      for (let j = 0; j < width; j++) total += ones(all[at++] ^ other[j]);
      found[i] = total;
    }
    return found;
  }

  vector = (record, into) => this.latents.unpack(this.all, record * this.bytes, this.bytes, into);

  /** A mean as a table: the squared distance of a code from it is the sum of table[256 * i + byte i] over its bytes. */
  centre(mean) {
    const made = new Float32Array(256 * this.bytes);
    for (let i = 0; i < this.bytes; i++) {
      for (let byte = 0; byte < 256; byte++) {
        let sum = 0;
        for (let bit = 0; bit < 8; bit++) sum += (((byte >> bit) & 1) - mean[8 * i + bit]) ** 2;
        made[256 * i + byte] = sum;
      }
    }
    return made;
  }

  /** The squared distance of a record from a centre, or anything above `limit`. */
  from(centre, record, limit = Infinity) {
    const { bytes, all } = this, at = record * bytes;
    let sum = 0;
    for (let i = 0; i < bytes && sum < limit; i++) sum += centre[(i << 8) + all[at + i]];
    return sum;
  }

  /** Codes from a to b, as many bytes as both have, whose decodes change about evenly: latents change in the order that keeps the sum of their single
   * effects nearest to the blend of the two ends, point by point; stops are even in the way covered. */
  async path(a, b, steps, decode) {
    const shorter = Math.min(a.length, b.length);
    const [start, end] = [a.slice(0, shorter), b.slice(0, shorter)];
    const differing = Array.from({ length: 8 * shorter }, (_, i) => i).filter((i) => bitOf(start, i) !== bitOf(end, i));
    if (differing.length < 2) return differing.length ? [start, end] : [start];
    const from = await decode([start, ...differing.map((i) => flipped(start, i))]);
    const to = await decode([end, ...differing.map((i) => flipped(end, i))]);
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
    return [...stops].map((stop) => way[stop]);
  }
}

/** Codes of numbers, by Euclidean distance; unpacked when they are looked at, for all at once would fill the memory. */
class Numbers {
  constructor(all, latents, bytes) {
    Object.assign(this, { all, latents, bytes, count: all.length / bytes, one: new Float32Array(latents.size) });
  }

  distances(code) {
    const other = this.latents.unpack(code);
    return Float32Array.from({ length: this.count }, (_, record) => Math.sqrt(this.from(other, record)));
  }

  vector = (record, into) => this.latents.unpack(this.all, record * this.bytes, this.bytes, into);

  centre = (mean) => mean;

  from(centre, record) {
    const one = this.vector(record, this.one);
    let sum = 0;
    for (let i = 0; i < one.length; i++) sum += (one[i] - centre[i]) ** 2;
    return sum;
  }

  /** Codes of float16 between a and b, along the line. */
  async path(a, b, steps) {
    const [start, end] = [this.latents.unpack(a), this.latents.unpack(b)];
    const between = Array.from({ length: steps - 1 }, (_, i) => (i + 1) / steps);
    return [a, ...between.map((share) => this.latents.pack(start.map((z, i) => z + share * (end[i] - z)))), b];
  }

  /** The least and largest value of each latent among some records. */
  ranges(records) {
    const found = Array.from({ length: this.latents.size }, () => [Infinity, -Infinity]);
    for (const record of records) {
      this.vector(record, this.one).forEach((z, i) => (found[i] = [Math.min(found[i][0], z), Math.max(found[i][1], z)]));
    }
    return found;
  }
}

function ones(word) {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
const words = (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

// ---- clusters: Lloyd's k-means, from k-means++ seeds

function nearest(space, centres, record) {
  let best = 0, least = Infinity;
  for (let c = 0; c < centres.length; c++) {
    const sum = space.from(centres[c], record, least);
    if (sum < least) [best, least] = [c, sum];
  }
  return best;
}

/** Centres of k clusters of a sample, the largest first. */
function means(space, sample, k) {
  const random = generator(), { size } = space.latents;
  let centres = [space.centre(space.vector(sample[Math.floor(random() * sample.length)]))];
  const far = new Float32Array(sample.length).fill(Infinity);
  while (centres.length < k) {
    let total = 0;
    const newest = centres[centres.length - 1];
    sample.forEach((record, i) => (total += far[i] = Math.min(far[i], space.from(newest, record))));
    if (!total) throw new Error(`cannot make ${k} clusters of ${centres.length} different codes`);
    let left = random() * total, at = 0;
    while (at < sample.length - 1 && (left -= far[at]) > 0) at++;
    centres.push(space.centre(space.vector(sample[at])));
  }
  const one = new Float32Array(size);
  let before = null, often;
  for (let round = 0; round < ROUNDS; round++) {
    const of = sample.map((record) => nearest(space, centres, record));
    if (before !== null && of.every((cluster, i) => cluster === before[i])) break;
    const sums = Array.from({ length: k }, () => new Float32Array(size));
    often = new Uint32Array(k);
    of.forEach((cluster, i) => {
      often[cluster]++;
      space.vector(sample[i], one);
      for (let j = 0; j < size; j++) sums[cluster][j] += one[j];
    });
    centres = centres.map((old, c) => (often[c] ? space.centre(sums[c].map((sum) => sum / often[c])) : old));
    before = of;
  }
  return Array.from(centres.keys()).sort((a, b) => often[b] - often[a]).map((c) => centres[c]);
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

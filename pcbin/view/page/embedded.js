"use strict";
// The source of an exported page: records as JSON, and the decoder as the safetensors file that an archive carries
// (docs/format.md), run here in typed arrays. Stands in the worker beside codes.js, spaces.js and collection.js.

class Embedded {
  constructor({ collection, model }) {
    const { about, records, originals } = JSON.parse(collection);
    Object.assign(this, { facts: about, records, originals, decoder: new Decoder(bytesOf(model), new Latents(about)) });
  }
  about = async () => ({ ...this.facts, parts: 1 });
  async codes() {
    const all = new Uint8Array(this.facts.count * this.facts.bytes);
    this.records.forEach(({ code }, i) => all.set(parse(code).subarray(0, this.facts.bytes), i * this.facts.bytes));
    return all;
  }
  distortion = async () => Float32Array.from(this.records, ({ distortion }) => distortion ?? NaN);
  part = async () => ({ names: this.records.map(({ name }) => name), meta: this.records.map(({ meta }) => meta), colours: this.records.map(({ colour }) => colour) });
  record = async (record) => this.records[record];
  original = async (record) => new Float32Array(bytesOf(this.originals[record] ?? "").buffer);
  shapes = async (records) => this.decoder.decode(records.map((record) => parse(this.records[record].code)));
  decode = async (codes) => this.decoder.decode(codes.map(parse));
  async find(name) {
    const found = this.records.findIndex((record) => record.name === name);
    if (found < 0) throw new Error(`no record named '${name}'`);
    return found;
  }
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The decoder's MLP: blocks of linear, LayerNorm, SiLU (with the input added where the width stays), then linear. */
class Decoder {
  constructor(file, latents) {
    this.latents = latents;
    const start = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    const { __metadata__, ...tensors } = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
    const read = (name) => {
      const { dtype, data_offsets: [from, to] } = tensors[`decoder.${name}`];
      const bytes = file.slice(start + from, start + to);
      return dtype === "F32" ? new Float32Array(bytes.buffer) : halves(new Uint16Array(bytes.buffer));
    };
    this.blocks = [];
    for (let i = 0; `decoder.blocks.${i}.linear.weight` in tensors; i++) {
      const [weight, bias] = ["weight", "bias"].map((part) => read(`blocks.${i}.linear.${part}`));
      const [scale, shift] = ["weight", "bias"].map((part) => read(`blocks.${i}.norm.${part}`));
      this.blocks.push({ weight, bias, scale, shift });
    }
    this.head = { weight: read("head.weight"), bias: read("head.bias") };
  }

  /** Codes (as bytes) to points, one cloud after the other. */
  decode(codes) {
    let rows = codes.map((code) => this.inputs(code));
    for (const { weight, bias, scale, shift } of this.blocks) {
      rows = linear(rows, weight, bias).map((row, i) => {
        activate(row, scale, shift);
        return row.length === rows[i].length ? row.map((value, j) => value + rows[i][j]) : row;
      });
    }
    const clouds = linear(rows, this.head.weight, this.head.bias);
    const all = new Float32Array(clouds.length * this.head.bias.length);
    clouds.forEach((cloud, i) => all.set(cloud, i * cloud.length));
    return all;
  }

  /** Latents of bits from -1 to 1, 0 where the code lacks them; others as they are. */
  inputs(code) {
    const latents = this.latents.unpack(code);
    if (!this.latents.binary) return latents;
    const made = new Float32Array(this.latents.size * this.latents.groups);
    made.set(latents.map((z) => 2 * z - 1));
    return made;
  }
}

function linear(rows, weight, bias) {
  const [width, count] = [rows[0].length, bias.length];
  const outputs = rows.map(() => new Float32Array(count));
  for (let o = 0; o < count; o++) {
    const at = o * width;
    for (let r = 0; r < rows.length; r++) {
      const row = rows[r];
      let i = 0, a = 0, b = 0, c = 0, d = 0; // four sums, for no addition to wait for the one before
      for (; i + 3 < width; i += 4) {
        a += weight[at + i] * row[i];
        b += weight[at + i + 1] * row[i + 1];
        c += weight[at + i + 2] * row[i + 2];
        d += weight[at + i + 3] * row[i + 3];
      }
      for (; i < width; i++) a += weight[at + i] * row[i];
      outputs[r][o] = bias[o] + a + b + c + d;
    }
  }
  return outputs;
}

/** LayerNorm, then SiLU, in place. */
function activate(row, scale, shift) {
  let mean = 0, variance = 0;
  for (const value of row) mean += value / row.length;
  for (const value of row) variance += (value - mean) ** 2 / row.length;
  const inverse = 1 / Math.sqrt(variance + 1e-5);
  for (let i = 0; i < row.length; i++) {
    const value = (row[i] - mean) * inverse * scale[i] + shift[i];
    row[i] = value / (1 + Math.exp(-value));
  }
}

/** Float16 numbers, given as uint16, as float32. */
function halves(bits) {
  const made = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) made[i] = HALVES[bits[i]];
  return made;
}

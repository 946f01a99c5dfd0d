"use strict";
// The source of an exported page: records as JSON, and the decoder as the safetensors file that an archive carries
// (docs/format.md), run here in typed arrays. Goes before collection.js in the worker.

class Embedded {
  constructor({ collection, model }) {
    const { about, records, originals } = JSON.parse(collection);
    Object.assign(this, { facts: about, records, originals, decoder: new Decoder(bytesOf(model)) });
  }
  about = async () => ({ ...this.facts, parts: 1 });
  codes = async () => Uint8Array.from(this.records.flatMap(({ code }) => [...parse(code)]));
  distortion = async () => Float32Array.from(this.records, ({ distortion }) => distortion ?? NaN);
  part = async () => ({ names: this.records.map(({ name }) => name), meta: this.records.map(({ meta }) => meta) });
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
  constructor(file) {
    const start = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
    const { __metadata__, ...tensors } = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
    const read = (name) => {
      const { dtype, data_offsets: [from, to] } = tensors[`decoder.${name}`];
      const bytes = file.slice(start + from, start + to);
      return dtype === "F32" ? new Float32Array(bytes.buffer) : halves(new Uint16Array(bytes.buffer));
    };
    this.binary = JSON.parse(__metadata__.pcbin).latent.kind === "beta";
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

  /** Bits as -1 and 1; other latents as the float16 numbers that they are. */
  inputs(code) {
    if (!this.binary) return halves(new Uint16Array(code.buffer));
    return Float32Array.from({ length: 8 * code.length }, (_, i) => 2 * ((code[i >> 3] >> (i % 8)) & 1) - 1);
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

const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * 2 ** (exponent - 25) * (1024 + fraction);
});

/** Float16 numbers, given as uint16, as float32. */
function halves(bits) {
  const made = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) made[i] = HALVES[bits[i]];
  return made;
}

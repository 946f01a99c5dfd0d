"use strict";
// What the bytes of a code say (docs/format.md): one bit for each latent of a group, and one group after the other where
// the code has several; or numbers, as integers with a scale or as float16. Shared by the page and its worker.

const parse = (code) => Uint8Array.from(code.match(/../g), (byte) => parseInt(byte, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const FLOAT = 16; // bits of a latent kept as float16
const LARGEST_HALF = 65504;
const HALVES = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * 2 ** (exponent - 25) * (1024 + fraction);
});

/** The float16 number nearest to a number, as uint16. */
function half(number) {
  const size = Math.min(Math.abs(number), LARGEST_HALF);
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  return (number < 0 ? 0x8000 : 0) + (exponent + 15) * 1024 + Math.round(size * 2 ** (10 - exponent)) - 1024;
}

/** How codes are read that have up to `groups` times `size` latents and say of each what `code` names: "bits", "float16",
 * "int6", ... */
class Latents {
  constructor({ code, size, groups }) {
    Object.assign(this, { binary: code === "bits", size, groups });
  }

  /** How many bits each latent has in a code of so many bytes, of bits how many groups there are; undefined where there
   * is no such code. */
  depth(bytes) {
    if (this.binary) return Array.from({ length: this.groups }, (_, i) => i + 1).find((depth) => bytes === (this.size / 8) * depth);
    return bytes === 2 * this.size ? FLOAT : [4, 6, 8].find((depth) => bytes === 2 + Math.ceil((this.size * depth) / 8));
  }

  /** The latents of the code of so many bytes that begins at a place: of bits 0 or 1, of all groups. */
  unpack(all, at = 0, bytes = all.length, into = new Float32Array(this.binary ? 8 * bytes : this.size)) {
    const depth = this.depth(bytes), { size } = this;
    if (this.binary) {
      for (let i = 0; i < into.length; i++) into[i] = bitOf(all, 8 * at + i);
    } else if (depth === FLOAT) {
      for (let i = 0; i < size; i++) into[i] = HALVES[all[at + 2 * i] | (all[at + 2 * i + 1] << 8)];
    } else {
      const scale = HALVES[all[at] | (all[at + 1] << 8)], middle = 2 ** (depth - 1);
      for (let i = 0, bit = 0; i < size; i++, bit += depth) {
        const byte = at + 2 + (bit >> 3);
        const level = ((all[byte] | (all[byte + 1] << 8)) >> (bit & 7)) & (2 * middle - 1);
        into[i] = scale * (level - middle);
      }
    }
    return into;
  }

  /** Numbers as a code of float16. */
  pack(numbers) {
    return Uint8Array.from({ length: 2 * this.size }, (_, i) => (half(numbers[i >> 1]) >> (8 * (i & 1))) & 255);
  }

  /** The latents of a code that have a control each: of bits those of the first group. */
  shown = (code) => this.unpack(code).subarray(0, this.size);
}

/** A code of bits whose bit i is the other one. */
function flipped(code, i) {
  const made = code.slice();
  made[i >> 3] ^= 1 << (i & 7);
  return made;
}

/** Bit i of bytes: i % 8, from the least significant, of byte i >> 3. */
const bitOf = (bytes, i) => (bytes[i >> 3] >> (i & 7)) & 1;

"""Latent bits to bytes and back. The bit order, stated once: bit i of a code is bit (i % 8), counted from the
least significant, of byte i // 8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]  # (n, 16) of a 128-bit model, or one code (16,)


def pack(bits: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bits (..., n) bool to codes (..., n / 8) uint8; n is a multiple of 8."""
    if bits.shape[-1] % 8:
        raise ValueError(f"{bits.shape[-1]} bits do not fill whole bytes")
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Codes (..., n / 8) uint8 to bits (..., n) bool."""
    return np.unpackbits(codes, axis=-1, bitorder="little").astype(bool)

"""Bits to bytes and back, in the one order that every code ever written relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcbin import bits


def test_the_order_is_least_significant_first():
    one_at = np.eye(16, dtype=bool)
    codes = bits.pack(one_at)
    assert codes.tolist() == [[1 << i, 0] for i in range(8)] + [[0, 1 << i] for i in range(8)]


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 32))))
def test_codes_come_back(codes):
    unpacked = bits.unpack(codes)
    assert unpacked.dtype == bool
    assert unpacked.shape == (len(codes), 8 * codes.shape[1])
    np.testing.assert_array_equal(bits.pack(unpacked), codes)


def test_bit_i_is_bit_i_of_the_integer():
    code = np.frombuffer((12345678901234567890).to_bytes(16, "little"), np.uint8)
    assert sum(int(bit) << i for i, bit in enumerate(bits.unpack(code))) == 12345678901234567890


def test_bits_that_fill_no_byte_are_refused():
    with pytest.raises(ValueError, match="12 bits"):
        bits.pack(np.zeros(12, bool))

// The paged cache of keys and values, half precision, a layer at a time.
//
// A block holds 16 tokens. Keys lie as (blocks, kv_heads, 16, D), values as (blocks, kv_heads, D, 16): each so that the
// tensor cores' right operand, keys by elements and elements by keys, is read in runs of 16 and 8 bytes.
#pragma once
#include "device.cuh"

constexpr int BLOCK_TOKENS = 16;

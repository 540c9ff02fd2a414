// Products of matrices a tile at a time, which the kernels have in common.
//
// A block of 256 threads makes 64 rows of a product by 16 or 64 columns; its thread (row, column), of 16 by 16, has rows
// 4 row to 4 row + 3 and every sixteenth column from `column` on. Nothing is assumed of sizes but that each is an int.
#pragma once
#include "arguments.h"

// A kernel over one struct of arguments. The emulator that specs compile the kernels with defines it in its own way.
#ifndef BERGSON_KERNEL
#define BERGSON_KERNEL(name, Arguments) \
  extern "C" __global__ void __launch_bounds__(bergson::cuda::kThreads) name(const Arguments args)
#endif

namespace bergson::cuda {

// Rows of shared memory are longer by four floats than a tile: threads that fill a column then meet other banks, and
// each row still begins at a multiple of 16 bytes.
constexpr int kStride = kTileRows + 4;

// Both factors, the sum's index first.
template <int kColumns>
struct Tiles {
  alignas(16) float left[kDepth][kStride];
  alignas(16) float right[kDepth][kColumns];
};

// Which part of a product this block makes. Neighboring blocks share their rows.
struct Tile {
  int batch, part, row, column;
  int first, end;  // of the sum

  __device__ Tile(const Product& p, int columns) {
    unsigned index = blockIdx.x;
    const unsigned across = (p.columns + columns - 1) / columns, down = (p.rows + kTileRows - 1) / kTileRows;
    column = index % across * columns;
    index /= across;
    row = index % down * kTileRows;
    index /= down;
    part = index % p.parts;
    batch = index / p.parts;
    first = part * p.part;
    end = min(p.inner, first + p.part);
  }
};

// to[k][i] = element(k, i) for k below `depth`, threads going along i, as such a matrix lies in memory.
template <int kColumns, int kRow, class Element>
__device__ void fill_rows(float (&to)[kDepth][kRow], int depth, Element element) {
#pragma unroll
  for (int e = 0; e < kDepth * kColumns; e += kThreads) {
    const int k = (e + threadIdx.x) / kColumns, i = (e + threadIdx.x) % kColumns;
    if (k < depth) to[k][i] = element(k, i);
  }
}

// to[k][i] = element(k, i) for k below `depth` and 64 of i, threads going along k.
template <class Element>
__device__ void fill_columns(float (&to)[kDepth][kStride], int depth, Element element) {
  const int k = threadIdx.x % kDepth;
  if (k >= depth) return;
#pragma unroll
  for (int i = 0; i < kTileRows; i += kThreads / kDepth) {
    to[k][i + threadIdx.x / kDepth] = element(k, i + threadIdx.x / kDepth);
  }
}

// Adds leftᵀ right, as far as this thread has it: `depth` rows of each.
template <int kAcross, int kRow>
__device__ void add_product(const float (&left)[kDepth][kStride], const float (&right)[kDepth][kRow], int depth,
                            float (&sums)[4][kAcross]) {
  const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16;
#pragma unroll 4
  for (int k = 0; k < depth; k++) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
#pragma unroll
      for (int c = 0; c < kAcross; c++) sums[r][c] += left[k][row + r] * right[k][column + 16 * c];
    }
  }
}

// Writes this thread's part of the tile.
template <int kAcross>
__device__ void write_tile(const Product& p, const Tile& tile, const float (&sums)[4][kAcross]) {
  const int row = tile.row + threadIdx.x / 16 * 4, column = tile.column + threadIdx.x % 16;
  const long long result = static_cast<long long>(tile.part) * p.batches + tile.batch;
#pragma unroll
  for (int r = 0; r < 4; r++) {
    float* out = p.out + (result * p.rows + row + r) * p.columns;
#pragma unroll
    for (int c = 0; c < kAcross; c++) {
      if (row + r < p.rows && column + 16 * c < p.columns) out[column + 16 * c] = p.multiplier * sums[r][c];
    }
  }
}

// Sums over the tile's part and writes it. fill_left(left, first, depth) fills rows `first` to `first + depth` of the sum
// with 64 columns from the tile's row on; right_element(k, column) is an element of the right factor, in bounds.
template <int kAcross, class FillLeft, class RightElement>
__device__ void multiply(const Product& p, const Tile& tile, Tiles<16 * kAcross>& tiles, FillLeft fill_left,
                         RightElement right_element) {
  float sums[4][kAcross] = {};
  for (int first = tile.first; first < tile.end; first += kDepth) {
    const int depth = min(kDepth, tile.end - first);
    fill_left(tiles.left, first, depth);
    fill_rows<16 * kAcross>(tiles.right, depth, [&](int k, int j) {
      return tile.column + j < p.columns ? right_element(first + k, tile.column + j) : 0.0f;
    });
    __syncthreads();
    add_product(tiles.left, tiles.right, depth, sums);
    __syncthreads();
  }
  write_tile(p, tile, sums);
}

}  // namespace bergson::cuda

// The search of a block of rows for those that may be among a query's best or worst, in float32 with known bounds.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bergson {

// kernels/scan/block-scanner.ts says what the numbers mean.
struct Hit {
  std::int32_t row;
  std::int32_t query;
  float score;
  float margin;
};

struct Scan {
  // [count, width], float16 where `half`.
  const std::uint8_t* rows;
  bool half;
  std::size_t width, count;
  // One byte a row, 1 where it is there; null where all are.
  const std::uint8_t* written;
  // [count], powers of two that rows are multiplied by; null where all are 1.
  const float* factors;
  // [count], of what is missing from each row; null where nothing is.
  const float* residuals;
  // Pairs of first and end of stretches of columns.
  const std::uint32_t* ranges;
  std::size_t range_count;
  // Over the ranges' columns: up to kFewQueries lie one after another, more in strips [columns, strip].
  const float* queries;
  std::size_t query_count, strip, columns;
  // [query_count up to whole strips].
  const float* highest;
  const float* lowest;
  const float* margins;
  const float* residual_margins;
  bool unit_norm;
  Hit* hits;
  std::size_t capacity;
};

constexpr std::size_t kFewQueries = 4;

struct Scanned {
  // The row to go on from, once there is room for hits; `count` when all are done.
  std::size_t next;
  std::size_t hits;
};

// Rows from `first` on, as long as hits have room.
Scanned scan(const Scan&, std::size_t first);

}  // namespace bergson

#include "scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "instruction-sets.h"

namespace bergson {
namespace {

// Rows of a tile: whole register tiles of every instruction set (6, 8 and 4 rows), and 256 columns of them stay in the
// second-level cache.
constexpr std::size_t kTileRows = 120;

// Columns that are summed by themselves before they are added to what came before: the depth of a sum.
constexpr std::size_t kPanel = 256;

// Below this sum of squares float32 may have lost some to underflow.
constexpr float kSmallestSquares = 0x1p-90f;

// Norms of rows between which multiplying scores by their factor neither overflows nor loses to underflow.
constexpr float kSmallestLength = 0x1p-90f;
constexpr float kLargestLength = 0x1p120f;

// Scores [rows, queries] and sums of squares [rows] of a tile of rows.
struct Tile {
  std::vector<float> scores;
  std::vector<float> squares;
  std::vector<float> widened;
  std::vector<float> products;
};

Tile& tile_of_thread() {
  thread_local Tile tile;
  return tile;
}

const std::uint8_t* at(const Scan& s, std::size_t row, std::size_t column) {
  return s.rows + (row * s.width + column) * (s.half ? 2 : 4);
}

template <class Visit>
void each_panel(const Scan& s, std::size_t longest, const Visit& visit) {
  std::size_t done = 0;
  for (std::size_t range = 0; range < s.range_count; range++) {
    const std::size_t end = s.ranges[2 * range + 1];
    for (std::size_t column = s.ranges[2 * range]; column < end;) {
      const std::size_t columns = std::min(longest, end - column);
      visit(column, done, columns);
      column += columns;
      done += columns;
    }
  }
}

void score_few(const Scan& s, std::size_t first, std::size_t rows, Tile& tile) {
  const InstructionSet& set = instruction_set();
  for (std::size_t row = 0; row < rows; row++) {
    float* sums = tile.scores.data() + row * s.query_count;
    // A lane of the narrowest vectors sums a quarter, in two parts: eight times as many columns as a panel has.
    each_panel(s, 8 * kPanel, [&](std::size_t column, std::size_t done, std::size_t columns) {
      const Dots dots = {at(s, first + row, column), s.half, columns, s.queries + done, s.columns, s.query_count};
      tile.squares[row] += set.dots(dots, sums);
    });
  }
}

void score_many(const Scan& s, std::size_t first, std::size_t rows, std::size_t padded, Tile& tile) {
  const InstructionSet& set = instruction_set();
  tile.widened.resize(kTileRows * kPanel);
  tile.products.resize(kTileRows * s.strip);
  each_panel(s, kPanel, [&](std::size_t column, std::size_t done, std::size_t columns) {
    for (std::size_t row = 0; row < rows; row++) {
      float* to = tile.widened.data() + row * kPanel;
      tile.squares[row] += set.widen(at(s, first + row, column), s.half, columns, to);
    }
    for (std::size_t query = 0; query < padded; query += s.strip) {
      const float* queries = s.queries + query * s.columns + done * s.strip;
      float* products = tile.products.data();
      set.multiply({false, false, rows, s.strip, columns, tile.widened.data(), kPanel, queries, s.strip, products, s.strip});
      for (std::size_t row = 0; row < rows; row++) {
        float* sums = tile.scores.data() + row * padded + query;
        for (std::size_t i = 0; i < s.strip; i++) sums[i] += products[row * s.strip + i];
      }
    }
  });
}

bool is_zero(const Scan& s, std::size_t row) {
  bool zero = true;
  each_panel(s, s.width, [&](std::size_t column, std::size_t, std::size_t columns) {
    const std::size_t bytes = s.half ? 2 : 4;
    const std::uint8_t* numbers = at(s, row, column);
    for (std::size_t i = 0; i < columns * bytes; i++) {
      const bool sign = i % bytes == bytes - 1;
      if ((numbers[i] & (sign ? 0x7f : 0xff)) != 0) zero = false;
    }
  });
  return zero;
}

// What a row's scores are multiplied by, and its queries' margins.
struct Scale {
  float score, margin;
};

Scale scale_of(const Scan& s, std::size_t row, float squares) {
  if (squares < kSmallestSquares) {
    if (is_zero(s, row)) return {0.0f, 0.0f};
    if (!s.half) return {1.0f, std::numeric_limits<float>::infinity()};
  }
  if (!(squares < std::numeric_limits<float>::infinity())) return {1.0f, std::numeric_limits<float>::infinity()};
  const float norm = std::sqrt(squares);
  if (s.unit_norm) return {1.0f / norm, 1.0f};
  if (s.factors == nullptr) return {1.0f, norm};
  const float factor = s.factors[row];
  const float length = norm * factor;
  const bool in_range = length > kSmallestLength && length < kLargestLength;
  return {factor, in_range ? length : std::numeric_limits<float>::infinity()};
}

// Whether any query may have the row among its best or worst. Written so that what is no number may.
bool any_hit(const float* scores, const Scale& scale, float residual, const Scan& s, std::size_t padded) {
  int hit = 0;
  for (std::size_t query = 0; query < padded; query++) {
    const float score = scores[query] * scale.score;
    const float margin = s.margins[query] * scale.margin + s.residual_margins[query] * residual;
    hit |= static_cast<int>(!(score + margin < s.highest[query])) | static_cast<int>(!(score - margin > s.lowest[query]));
  }
  return hit != 0;
}

}  // namespace

Scanned scan(const Scan& s, std::size_t first) {
  const bool few = s.query_count <= kFewQueries;
  const std::size_t padded = few ? s.query_count : (s.query_count + s.strip - 1) / s.strip * s.strip;
  Tile& tile = tile_of_thread();
  Scanned scanned = {first, 0};
  while (scanned.next < s.count) {
    const std::size_t rows = std::min(kTileRows, s.count - scanned.next);
    if (scanned.hits + rows * s.query_count > s.capacity) break;
    tile.scores.assign(rows * padded, 0.0f);
    tile.squares.assign(rows, 0.0f);
    if (few) score_few(s, scanned.next, rows, tile);
    else score_many(s, scanned.next, rows, padded, tile);
    for (std::size_t i = 0; i < rows; i++) {
      const std::size_t row = scanned.next + i;
      if (s.written != nullptr && s.written[row] != 1) continue;
      const float* scores = tile.scores.data() + i * padded;
      const Scale scale = scale_of(s, row, tile.squares[i]);
      const float residual = s.residuals == nullptr ? 0.0f : s.residuals[row];
      if (!any_hit(scores, scale, residual, s, padded)) continue;
      for (std::size_t query = 0; query < s.query_count; query++) {
        const float score = scores[query] * scale.score;
        const float margin = s.margins[query] * scale.margin + s.residual_margins[query] * residual;
        if (score + margin < s.highest[query] && score - margin > s.lowest[query]) continue;
        s.hits[scanned.hits++] = {static_cast<std::int32_t>(row), static_cast<std::int32_t>(query), score, margin};
      }
    }
    scanned.next += rows;
  }
  return scanned;
}

}  // namespace bergson

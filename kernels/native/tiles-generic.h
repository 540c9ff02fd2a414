// The products of tiles.h in terms of a vector type: included by one file for each instruction set, inside an
// unnamed namespace, with that instruction set enabled.
//
// A vector type `Vec` has `V`, `kWidth`, `Mask`, `zero`, `load`, `store`, `first(count)`, `load_first`,
// `store_first`, `multiply_add(scalar, vector, sum)`, `multiply_add_vectors` and `inverse_root(vector, correction, epsilon)`.

// Loops over a tile's registers: unless they are unrolled early, GCC keeps a copy of each register in memory.
#if defined(__clang__)
#define BERGSON_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define BERGSON_UNROLL _Pragma("GCC unroll 8")
#else
#define BERGSON_UNROLL
#endif

// Rows of B that are gone through before the next tile of A begins, so that they stay in the first-level cache.
constexpr std::size_t kPanel = 256;

template <class Vec, int kRows, int kVectors, bool kPartial, bool kTransposed>
void tile(const Product& p, const float* a, const float* b, float* c, std::size_t k, std::size_t columns,
          bool accumulate) {
  using V = typename Vec::V;
  const typename Vec::Mask mask = Vec::first(kPartial ? columns - (kVectors - 1) * Vec::kWidth : 0);
  const std::size_t a_stride = p.a_stride;
  const std::size_t b_stride = p.b_stride;
  V sums[kRows][kVectors];
  BERGSON_UNROLL
  for (int row = 0; row < kRows; row++) {
    BERGSON_UNROLL
    for (int v = 0; v < kVectors; v++) {
      const float* from = c + row * p.c_stride + v * Vec::kWidth;
      sums[row][v] = !accumulate                       ? Vec::zero()
                     : kPartial && v == kVectors - 1 ? Vec::load_first(from, mask)
                                                     : Vec::load(from);
    }
  }
  for (std::size_t i = 0; i < k; i++) {
    V right[kVectors];
    BERGSON_UNROLL
    for (int v = 0; v < kVectors; v++) {
      const float* from = b + i * b_stride + v * Vec::kWidth;
      right[v] = kPartial && v == kVectors - 1 ? Vec::load_first(from, mask) : Vec::load(from);
    }
    BERGSON_UNROLL
    for (int row = 0; row < kRows; row++) {
      const float left = kTransposed ? a[i * a_stride + row] : a[row * a_stride + i];
      BERGSON_UNROLL
      for (int v = 0; v < kVectors; v++) sums[row][v] = Vec::multiply_add(left, right[v], sums[row][v]);
    }
  }
  BERGSON_UNROLL
  for (int row = 0; row < kRows; row++) {
    BERGSON_UNROLL
    for (int v = 0; v < kVectors; v++) {
      float* to = c + row * p.c_stride + v * Vec::kWidth;
      if (kPartial && v == kVectors - 1) {
        Vec::store_first(to, mask, sums[row][v]);
      } else {
        Vec::store(to, sums[row][v]);
      }
    }
  }
}

// One tile of at most kRows rows.
template <class Vec, int kRows, int kVectors, bool kPartial, bool kTransposed>
void rows_tile(std::size_t rows, const Product& p, const float* a, const float* b, float* c, std::size_t k,
               std::size_t columns, bool accumulate) {
  if constexpr (kRows > 1) {
    if (rows < kRows) {
      rows_tile<Vec, kRows - 1, kVectors, kPartial, kTransposed>(rows, p, a, b, c, k, columns, accumulate);
      return;
    }
  }
  tile<Vec, kRows, kVectors, kPartial, kTransposed>(p, a, b, c, k, columns, accumulate);
}

// `columns` columns of all rows of A and a panel of B, in tiles about as high as one another: the sums of a low one are too
// few to keep the multipliers busy.
template <class Vec, int kRows, int kVectors, bool kTransposed>
void strip(const Product& p, const float* a, const float* b, float* c, std::size_t k, std::size_t columns,
           bool accumulate) {
  const bool partial = columns < kVectors * Vec::kWidth;
  std::size_t tiles = (p.m + kRows - 1) / kRows;
  for (std::size_t row = 0, rows = 0; row < p.m; row += rows, tiles--) {
    rows = (p.m - row + tiles - 1) / tiles;
    const float* from = kTransposed ? a + row : a + row * p.a_stride;
    float* to = c + row * p.c_stride;
    if (partial) {
      rows_tile<Vec, kRows, kVectors, true, kTransposed>(rows, p, from, b, to, k, columns, accumulate);
    } else {
      rows_tile<Vec, kRows, kVectors, false, kTransposed>(rows, p, from, b, to, k, columns, accumulate);
    }
  }
}

// Strips of two vectors, then what is left; with `Half`, a narrower type, for at most half a vector.
template <class Vec, class Half, int kRows, bool kTransposed>
void multiply_panels(const Product& p) {
  for (std::size_t first = 0; first == 0 || first < p.k; first += kPanel) {
    const std::size_t k = p.k - first < kPanel ? p.k - first : kPanel;
    const bool accumulate = p.accumulate || first > 0;
    const float* a = kTransposed ? p.a + first * p.a_stride : p.a + first;
    const float* b = p.b + first * p.b_stride;
    for (std::size_t column = 0; column < p.n;) {
      const std::size_t left = p.n - column;
      const std::size_t columns = left < 2 * Vec::kWidth ? left : 2 * Vec::kWidth;
      if (columns > Vec::kWidth) {
        strip<Vec, kRows, 2, kTransposed>(p, a, b + column, p.c + column, k, columns, accumulate);
      } else if (columns > Half::kWidth) {
        strip<Vec, kRows, 1, kTransposed>(p, a, b + column, p.c + column, k, columns, accumulate);
      } else {
        strip<Half, kRows, 1, kTransposed>(p, a, b + column, p.c + column, k, columns, accumulate);
      }
      column += columns;
    }
  }
}

template <class Vec, class Half, int kRows>
void multiply_with(const Product& p) {
  if (p.transposed) {
    multiply_panels<Vec, Half, kRows, true>(p);
  } else {
    multiply_panels<Vec, Half, kRows, false>(p);
  }
}

// `kVectors` vectors of width, the last of which may be partial.
template <class Vec, int kVectors, bool kPartial>
void add_products_strip(const Lines& lines, std::size_t first, std::size_t columns, float* out) {
  typename Vec::V sums[kVectors];
  const typename Vec::Mask mask = Vec::first(kPartial ? columns - (kVectors - 1) * Vec::kWidth : 0);
  const auto load = [&](const float* from, int v) {
    return kPartial && v == kVectors - 1 ? Vec::load_first(from, mask) : Vec::load(from);
  };
  BERGSON_UNROLL
  for (int v = 0; v < kVectors; v++) sums[v] = load(out + first + v * Vec::kWidth, v);
  for (std::size_t row = 0; row < lines.rows; row++) {
    const float* a = lines.a + row * lines.a_stride + first;
    const float* b = lines.b + row * lines.b_stride + first;
    BERGSON_UNROLL
    for (int v = 0; v < kVectors; v++) {
      const int at = v * Vec::kWidth;
      sums[v] = Vec::multiply_add_vectors(load(a + at, v), load(b + at, v), sums[v]);
    }
  }
  BERGSON_UNROLL
  for (int v = 0; v < kVectors; v++) {
    float* to = out + first + v * Vec::kWidth;
    if (kPartial && v == kVectors - 1) Vec::store_first(to, mask, sums[v]);
    else Vec::store(to, sums[v]);
  }
}

template <class Vec>
void add_products_with(const Lines& lines, float* out) {
  constexpr std::size_t kStrip = 4 * Vec::kWidth;
  std::size_t first = 0;
  for (; first + kStrip <= lines.width; first += kStrip) add_products_strip<Vec, 4, false>(lines, first, kStrip, out);
  for (; first < lines.width; first += Vec::kWidth) {
    const std::size_t left = lines.width - first;
    if (left < Vec::kWidth) add_products_strip<Vec, 1, true>(lines, first, left, out);
    else add_products_strip<Vec, 1, false>(lines, first, Vec::kWidth, out);
  }
}

template <class Vec>
void inverse_roots_with(const float* x, std::size_t count, float correction, float epsilon, float* out) {
  const std::size_t whole = count / Vec::kWidth * Vec::kWidth;
  for (std::size_t i = 0; i < whole; i += Vec::kWidth) {
    Vec::store(out + i, Vec::inverse_root(Vec::load(x + i), correction, epsilon));
  }
  if (whole == count) return;
  const typename Vec::Mask mask = Vec::first(count - whole);
  Vec::store_first(out + whole, mask, Vec::inverse_root(Vec::load_first(x + whole, mask), correction, epsilon));
}

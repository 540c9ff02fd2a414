// Rows of float16 or float32 as float32, and their inner products with a few vectors. Included like tiles-generic.h, by
// the same files, after `Vec`, which has `widen(halves)` too.

template <class Vec>
struct Halves {
  using Number = std::uint16_t;
  static typename Vec::V load(const Number* from) { return Vec::widen(from); }
};

template <class Vec>
struct Floats {
  using Number = float;
  static typename Vec::V load(const Number* from) { return Vec::load(from); }
};

template <class Vec>
float sum_lanes(typename Vec::V value) {
  float lanes[Vec::kWidth];
  Vec::store(lanes, value);
  for (std::size_t half = Vec::kWidth / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; i++) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// A vector of the last `count` numbers, filled up with zeros.
template <class Vec, class Source>
typename Vec::V load_last(const typename Source::Number* from, std::size_t count) {
  typename Source::Number numbers[Vec::kWidth] = {};
  std::memcpy(numbers, from, count * sizeof *numbers);
  return Source::load(numbers);
}

template <class Vec, class Source>
float widen_from(const void* from, std::size_t count, float* out) {
  using V = typename Vec::V;
  const auto* numbers = static_cast<const typename Source::Number*>(from);
  V squares[2] = {Vec::zero(), Vec::zero()};
  std::size_t i = 0;
  for (; i + 2 * Vec::kWidth <= count; i += 2 * Vec::kWidth) {
    BERGSON_UNROLL
    for (int v = 0; v < 2; v++) {
      const V value = Source::load(numbers + i + v * Vec::kWidth);
      Vec::store(out + i + v * Vec::kWidth, value);
      squares[v] = Vec::multiply_add_vectors(value, value, squares[v]);
    }
  }
  for (; i < count; i += Vec::kWidth) {
    const std::size_t left = count - i < Vec::kWidth ? count - i : Vec::kWidth;
    const V value = load_last<Vec, Source>(numbers + i, left);
    Vec::store_first(out + i, Vec::first(left), value);
    squares[0] = Vec::multiply_add_vectors(value, value, squares[0]);
  }
  return sum_lanes<Vec>(squares[0]) + sum_lanes<Vec>(squares[1]);
}

template <class Vec>
float widen_with(const void* from, bool half, std::size_t count, float* out) {
  return half ? widen_from<Vec, Halves<Vec>>(from, count, out) : widen_from<Vec, Floats<Vec>>(from, count, out);
}

template <class Vec, class Source, int kQueries>
float dots_of(const void* from, std::size_t count, const float* queries, std::size_t stride, float* sums) {
  using V = typename Vec::V;
  const auto* numbers = static_cast<const typename Source::Number*>(from);
  V products[kQueries][2];
  V squares[2];
  BERGSON_UNROLL
  for (int v = 0; v < 2; v++) {
    squares[v] = Vec::zero();
    BERGSON_UNROLL
    for (int q = 0; q < kQueries; q++) products[q][v] = Vec::zero();
  }
  std::size_t i = 0;
  for (; i + 2 * Vec::kWidth <= count; i += 2 * Vec::kWidth) {
    BERGSON_UNROLL
    for (int v = 0; v < 2; v++) {
      const std::size_t at = i + v * Vec::kWidth;
      const V value = Source::load(numbers + at);
      squares[v] = Vec::multiply_add_vectors(value, value, squares[v]);
      BERGSON_UNROLL
      for (int q = 0; q < kQueries; q++) {
        products[q][v] = Vec::multiply_add_vectors(value, Vec::load(queries + q * stride + at), products[q][v]);
      }
    }
  }
  for (; i < count; i += Vec::kWidth) {
    const std::size_t left = count - i < Vec::kWidth ? count - i : Vec::kWidth;
    const V value = load_last<Vec, Source>(numbers + i, left);
    squares[0] = Vec::multiply_add_vectors(value, value, squares[0]);
    for (int q = 0; q < kQueries; q++) {
      const V query = load_last<Vec, Floats<Vec>>(queries + q * stride + i, left);
      products[q][0] = Vec::multiply_add_vectors(value, query, products[q][0]);
    }
  }
  for (int q = 0; q < kQueries; q++) sums[q] += sum_lanes<Vec>(products[q][0]) + sum_lanes<Vec>(products[q][1]);
  return sum_lanes<Vec>(squares[0]) + sum_lanes<Vec>(squares[1]);
}

template <class Vec, class Source>
float dots_from(const Dots& d, float* sums) {
  switch (d.query_count) {
    case 1: return dots_of<Vec, Source, 1>(d.row, d.count, d.queries, d.stride, sums);
    case 2: return dots_of<Vec, Source, 2>(d.row, d.count, d.queries, d.stride, sums);
    case 3: return dots_of<Vec, Source, 3>(d.row, d.count, d.queries, d.stride, sums);
    default: return dots_of<Vec, Source, 4>(d.row, d.count, d.queries, d.stride, sums);
  }
}

template <class Vec>
float dots_with(const Dots& d, float* sums) {
  return d.half ? dots_from<Vec, Halves<Vec>>(d, sums) : dots_from<Vec, Floats<Vec>>(d, sums);
}

// What goes over a row of any width by vectors. Included like dots-generic.h, after it.

// Where one is in a row: at a whole vector.
template <class Vec>
struct Whole {
  std::size_t first;
  typename Vec::V load(const float* row) const { return Vec::load(row + first); }
  void store(float* row, typename Vec::V value) const { Vec::store(row + first, value); }
};

// At its last few numbers.
template <class Vec>
struct Partial {
  std::size_t first;
  typename Vec::Mask mask;
  typename Vec::V load(const float* row) const { return Vec::load_first(row + first, mask); }
  void store(float* row, typename Vec::V value) const { Vec::store_first(row + first, mask, value); }
};

template <class Vec, class Body>
void each_vector(std::size_t width, const Body& body) {
  std::size_t i = 0;
  for (; i + Vec::kWidth <= width; i += Vec::kWidth) body(Whole<Vec>{i});
  if (i < width) body(Partial<Vec>{i, Vec::first(width - i)});
}

// The sum over a row of what `term` gives at each place. Blocks are summed in float32, so that rounding does not grow with
// their number.
template <class Vec, class Term>
double sum_of(std::size_t width, const Term& term) {
  constexpr std::size_t kStep = 4 * Vec::kWidth;
  constexpr std::size_t kBlock = 1024;
  double total = 0;
  std::size_t i = 0;
  while (i + kStep <= width) {
    typename Vec::V sums[4] = {Vec::zero(), Vec::zero(), Vec::zero(), Vec::zero()};
    for (const std::size_t end = i + kBlock; i + kStep <= width && i < end; i += kStep) {
      BERGSON_UNROLL
      for (int v = 0; v < 4; v++) sums[v] = sums[v] + term(Whole<Vec>{i + v * Vec::kWidth});
    }
    total += sum_lanes<Vec>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  for (; i < width; i += Vec::kWidth) {
    // Places beyond the row add nothing.
    float lanes[Vec::kWidth] = {};
    const typename Vec::Mask mask = Vec::first(width - i < Vec::kWidth ? width - i : Vec::kWidth);
    Vec::store_first(lanes, mask, term(Partial<Vec>{i, mask}));
    total += sum_lanes<Vec>(Vec::load(lanes));
  }
  return total;
}

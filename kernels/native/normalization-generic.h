// Rows normalized, and the gradients of that. Included like exponential-generic.h, after dots-generic.h.

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

// The mean over a row of what `term` gives at each place. Blocks are summed in float32, so that rounding does not grow with
// their number.
template <class Vec, class Term>
double mean_of(std::size_t width, const Term& term) {
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
  return total / static_cast<double>(width);
}

struct Moments {
  float mean;  // 0 where rows are not centered
  float inverse;  // 1 / sqrt(mean square + epsilon), of what is left after centering
};

template <class Vec>
Moments moments_of(const Normalization& n, const float* x) {
  using V = typename Vec::V;
  const float mean = n.centered ? static_cast<float>(mean_of<Vec>(n.width, [&](auto at) { return at.load(x); })) : 0.0f;
  const double square = mean_of<Vec>(n.width, [&](auto at) {
    const V centered = at.load(x) - mean;
    return centered * centered;
  });
  return {mean, static_cast<float>(1.0 / __builtin_sqrt(square + n.epsilon))};
}

template <class Vec>
void normalize_with(const Normalization& n, const float* x, float* out) {
  using V = typename Vec::V;
  const Moments moments = moments_of<Vec>(n, x);
  each_vector<Vec>(n.width, [&](auto at) {
    V y = (at.load(x) - moments.mean) * moments.inverse;
    if (n.scale != nullptr) y = y * at.load(n.scale);
    if (n.shift != nullptr) y = y + at.load(n.shift);
    at.store(out, y);
  });
}

// With g the output gradients times the scale, and y what is normalized: (g - mean g - y mean(g y)) / sqrt(...), without mean
// g where rows are not centered.
template <class Vec>
void normalization_gradients_with(const Normalization& n, const float* x, const float* gradients, float* out) {
  using V = typename Vec::V;
  const Moments moments = moments_of<Vec>(n, x);
  const auto scaled = [&](auto at) {
    const V gradient = at.load(gradients);
    return n.scale == nullptr ? gradient : gradient * at.load(n.scale);
  };
  const auto normalized = [&](auto at) { return (at.load(x) - moments.mean) * moments.inverse; };
  const float mean = n.centered ? static_cast<float>(mean_of<Vec>(n.width, scaled)) : 0.0f;
  const float along = static_cast<float>(mean_of<Vec>(n.width, [&](auto at) { return scaled(at) * normalized(at); }));
  each_vector<Vec>(n.width, [&](auto at) {
    at.store(out, (scaled(at) - mean - normalized(at) * along) * moments.inverse);
  });
}

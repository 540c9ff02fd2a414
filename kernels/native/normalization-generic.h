// Rows normalized, and the gradients of that. Included like rows-generic.h, after it.

template <class Vec, class Term>
double mean_of(std::size_t width, const Term& term) {
  return sum_of<Vec>(width, term) / static_cast<double>(width);
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

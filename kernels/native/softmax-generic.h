// What a softmax takes of a row. Included like exponential-generic.h, after it.

// What is no number does not count.
template <class Vec>
float largest_with(const float* row, std::size_t count) {
  using V = typename Vec::V;
  V most = Vec::zero() - __builtin_inff();
  std::size_t i = 0;
  for (; i + Vec::kWidth <= count; i += Vec::kWidth) {
    const V value = Vec::load(row + i);
    most = value > most ? value : most;
  }
  float lanes[Vec::kWidth];
  Vec::store(lanes, most);
  float result = lanes[0];
  for (float lane : lanes) result = lane > result ? lane : result;
  for (; i < count; i++) result = row[i] > result ? row[i] : result;
  return result;
}

// What would be subnormal is 0: some processors take a hundred times as long to compute one.
template <class Vec>
float exponentials_with(float* row, std::size_t count, float shift) {
  using V = typename Vec::V;
  constexpr float kLeast = -87.0f;
  V sum = Vec::zero();
  for (std::size_t i = 0; i < count; i += Vec::kWidth) {
    const V x = Vec::load(row + i) - shift;
    const V value = x < kLeast ? Vec::zero() : Exponential<Vec>::of(Exponential<Vec>::at_least(x, kLeast));
    Vec::store(row + i, value);
    sum = sum + value;
  }
  return sum_lanes<Vec>(sum);
}

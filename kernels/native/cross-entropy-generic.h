// Cross-entropy of a row of logits, and its gradient. Included like rows-generic.h, after it and softmax-generic.h.

template <class Vec>
float cross_entropy_with(const float* logits, std::size_t classes, std::size_t label) {
  const float largest = largest_with<Vec>(logits, classes);
  const double sum = sum_of<Vec>(classes, [&](auto at) { return Exponential<Vec>::of(at.load(logits) - largest); });
  return static_cast<float>(__builtin_log(sum) + (static_cast<double>(largest) - logits[label]));
}

template <class Vec>
void cross_entropy_gradient_with(const float* logits, std::size_t classes, std::size_t label, float gradient, float* out) {
  const float largest = largest_with<Vec>(logits, classes);
  const double sum = sum_of<Vec>(classes, [&](auto at) {
    const typename Vec::V power = Exponential<Vec>::of(at.load(logits) - largest);
    at.store(out, power);
    return power;
  });
  const float factor = static_cast<float>(gradient / sum);
  each_vector<Vec>(classes, [&](auto at) { at.store(out, at.load(out) * factor); });
  out[label] -= gradient;
}

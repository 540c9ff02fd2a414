// What every processor has: four floats in a vector of x86-64's or ARM64's baseline.
#include <cmath>
#include <cstring>

#include "tiles.h"

namespace bergson {
namespace {
#include "tiles-generic.h"

struct Four {
  typedef float V __attribute__((vector_size(16)));
  using Mask = std::size_t;
  static constexpr std::size_t kWidth = 4;
  static V zero() { return V{}; }
  static V load(const float* from) { return load_first(from, kWidth); }
  // Exponent and fraction move to their places in a float32, whose exponent counts from 127 in place of 15; multiplying
  // makes up for that, and is right for subnormal numbers, too. Infinity and NaN have an exponent of their own.
  static V widen(const std::uint16_t* from) {
    V value;
    for (std::size_t i = 0; i < kWidth; i++) {
      const std::uint32_t bits = static_cast<std::uint32_t>(from[i] & 0x7fff) << 13;
      const std::uint32_t special = (from[i] & 0x7c00) == 0x7c00 ? bits | 0x7f800000 : bits;
      float magnitude;
      std::memcpy(&magnitude, &special, sizeof magnitude);
      if (special == bits) magnitude *= 0x1p112f;
      value[i] = from[i] & 0x8000 ? -magnitude : magnitude;
    }
    return value;
  }
  static void store(float* to, V value) { store_first(to, kWidth, value); }
  static Mask first(std::size_t count) { return count; }
  static V load_first(const float* from, Mask count) {
    V value{};
    std::memcpy(&value, from, count * sizeof(float));
    return value;
  }
  static void store_first(float* to, Mask count, V value) { std::memcpy(to, &value, count * sizeof(float)); }
  static V multiply_add(float a, V b, V sum) { return sum + a * b; }
  static V multiply_add_vectors(V a, V b, V sum) { return sum + a * b; }
  static V inverse_root(V x, float correction, float epsilon) {
    for (std::size_t i = 0; i < kWidth; i++) x[i] = 1.0f / (std::sqrt(correction * x[i]) + epsilon);
    return x;
  }
};

#include "dots-generic.h"
#include "exponential-generic.h"
#include "rows-generic.h"
#include "activations-generic.h"
#include "normalization-generic.h"
#include "softmax-generic.h"
#include "cross-entropy-generic.h"

bool supported() { return true; }
void multiply(const Product& p) { multiply_with<Four, Four, 4>(p); }
void add_products(const Lines& lines, float* out) { add_products_with<Four>(lines, out); }
void inverse_roots(const float* x, std::size_t count, float correction, float epsilon, float* out) {
  inverse_roots_with<Four>(x, count, correction, epsilon, out);
}
float widen(const void* from, bool half, std::size_t count, float* out) {
  return widen_with<Four>(from, half, count, out);
}
float dots(const Dots& d, float* sums) { return dots_with<Four>(d, sums); }
void activate(ActivationFunction function, const float* x, std::size_t count, float* out) {
  activate_with<Four>(function, x, count, out);
}
void activation_gradients(ActivationFunction function, const float* x, const float* gradients, std::size_t count,
                          float* out) {
  activation_gradients_with<Four>(function, x, gradients, count, out);
}
void gate(ActivationFunction function, const float* x, const float* factors, std::size_t count, float* out) {
  gate_with<Four>(function, x, factors, count, out);
}
void gate_gradients(ActivationFunction function, const float* x, const float* factors, const float* gradients,
                    std::size_t count, float* out, float* factors_out) {
  gate_gradients_with<Four>(function, x, factors, gradients, count, out, factors_out);
}
void normalize(const Normalization& n, const float* x, float* out) { normalize_with<Four>(n, x, out); }
void normalization_gradients(const Normalization& n, const float* x, const float* gradients, float* out) {
  normalization_gradients_with<Four>(n, x, gradients, out);
}
float largest(const float* row, std::size_t count) { return largest_with<Four>(row, count); }
float exponentials(float* row, std::size_t count, float shift) { return exponentials_with<Four>(row, count, shift); }
float cross_entropy(const float* logits, std::size_t classes, std::size_t label) {
  return cross_entropy_with<Four>(logits, classes, label);
}
void cross_entropy_gradient(const float* logits, std::size_t classes, std::size_t label, float gradient, float* out) {
  cross_entropy_gradient_with<Four>(logits, classes, label, gradient, out);
}
}  // namespace

const InstructionSet kBaseline = {"baseline", supported, 2 * Four::kWidth, multiply, add_products, inverse_roots,
    widen, dots, activate, activation_gradients, gate, gate_gradients,
    normalize, normalization_gradients, largest, exponentials, cross_entropy, cross_entropy_gradient};
}  // namespace bergson

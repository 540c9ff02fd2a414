// AVX2 and FMA: six rows by two vectors fill the sixteen registers without spilling.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tiles.h"

// Enabled for this part of the file alone, so that no inline function of a header is compiled with it and then
// chosen by the linker for every processor.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

namespace bergson {
namespace {
#include "tiles-generic.h"
#include "vectors-x86.h"
#include "dots-generic.h"
#include "exponential-generic.h"
#include "rows-generic.h"
#include "activations-generic.h"
#include "normalization-generic.h"
#include "softmax-generic.h"
#include "cross-entropy-generic.h"

void multiply(const Product& p) { multiply_with<Ymm, Ymm, 6>(p); }
void add_products(const Lines& lines, float* out) { add_products_with<Ymm>(lines, out); }
void inverse_roots(const float* x, std::size_t count, float correction, float epsilon, float* out) {
  inverse_roots_with<Ymm>(x, count, correction, epsilon, out);
}
float widen(const void* from, bool half, std::size_t count, float* out) {
  return widen_with<Ymm>(from, half, count, out);
}
float dots(const Dots& d, float* sums) { return dots_with<Ymm>(d, sums); }
void activate(ActivationFunction function, const float* x, std::size_t count, float* out) {
  activate_with<Ymm>(function, x, count, out);
}
void activation_gradients(ActivationFunction function, const float* x, const float* gradients, std::size_t count,
                          float* out) {
  activation_gradients_with<Ymm>(function, x, gradients, count, out);
}
void gate(ActivationFunction function, const float* x, const float* factors, std::size_t count, float* out) {
  gate_with<Ymm>(function, x, factors, count, out);
}
void gate_gradients(ActivationFunction function, const float* x, const float* factors, const float* gradients,
                    std::size_t count, float* out, float* factors_out) {
  gate_gradients_with<Ymm>(function, x, factors, gradients, count, out, factors_out);
}
void normalize(const Normalization& n, const float* x, float* out) { normalize_with<Ymm>(n, x, out); }
void normalization_gradients(const Normalization& n, const float* x, const float* gradients, float* out) {
  normalization_gradients_with<Ymm>(n, x, gradients, out);
}
float largest(const float* row, std::size_t count) { return largest_with<Ymm>(row, count); }
float exponentials(float* row, std::size_t count, float shift) { return exponentials_with<Ymm>(row, count, shift); }
float cross_entropy(const float* logits, std::size_t classes, std::size_t label) {
  return cross_entropy_with<Ymm>(logits, classes, label);
}
void cross_entropy_gradient(const float* logits, std::size_t classes, std::size_t label, float gradient, float* out) {
  cross_entropy_gradient_with<Ymm>(logits, classes, label, gradient, out);
}
}  // namespace
}  // namespace bergson

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace bergson {
static bool supported() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
const InstructionSet kAvx2 = {"avx2", supported, 2 * Ymm::kWidth, multiply, add_products, inverse_roots,
    widen, dots, activate, activation_gradients, gate, gate_gradients,
    normalize, normalization_gradients, largest, exponentials, cross_entropy, cross_entropy_gradient};
}  // namespace bergson
#endif

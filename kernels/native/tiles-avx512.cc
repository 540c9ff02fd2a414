// AVX-512: eight rows by one or two vectors; up to eight columns take AVX2's vectors, which are no wider than that.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#include "tiles.h"

// As in tiles-avx2.cc.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx2,fma,f16c")
#endif

namespace bergson {
namespace {
#include "tiles-generic.h"
#include "vectors-x86.h"

struct Zmm {
  using V = __m512;
  using Mask = __mmask16;
  static constexpr std::size_t kWidth = 16;
  static V zero() { return _mm512_setzero_ps(); }
  static V load(const float* from) { return _mm512_loadu_ps(from); }
  static V widen(const std::uint16_t* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static void store(float* to, V value) { _mm512_storeu_ps(to, value); }
  static Mask first(std::size_t count) { return static_cast<Mask>((1u << count) - 1); }
  static V load_first(const float* from, Mask mask) { return _mm512_maskz_loadu_ps(mask, from); }
  static void store_first(float* to, Mask mask, V value) { _mm512_mask_storeu_ps(to, mask, value); }
  static V multiply_add(float a, V b, V sum) { return _mm512_fmadd_ps(_mm512_set1_ps(a), b, sum); }
  static V multiply_add_vectors(V a, V b, V sum) { return _mm512_fmadd_ps(a, b, sum); }
  static V inverse_root(V x, float correction, float epsilon) {
    const V root = _mm512_sqrt_ps(_mm512_mul_ps(_mm512_set1_ps(correction), x));
    return _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_add_ps(root, _mm512_set1_ps(epsilon)));
  }
};

#include "dots-generic.h"
#include "exponential-generic.h"
#include "rows-generic.h"
#include "activations-generic.h"
#include "normalization-generic.h"
#include "softmax-generic.h"
#include "cross-entropy-generic.h"

void multiply(const Product& p) { multiply_with<Zmm, Ymm, 8>(p); }
void add_products(const Lines& lines, float* out) { add_products_with<Zmm>(lines, out); }
void inverse_roots(const float* x, std::size_t count, float correction, float epsilon, float* out) {
  inverse_roots_with<Zmm>(x, count, correction, epsilon, out);
}
float widen(const void* from, bool half, std::size_t count, float* out) {
  return widen_with<Zmm>(from, half, count, out);
}
float dots(const Dots& d, float* sums) { return dots_with<Zmm>(d, sums); }
void activate(ActivationFunction function, const float* x, std::size_t count, float* out) {
  activate_with<Zmm>(function, x, count, out);
}
void activation_gradients(ActivationFunction function, const float* x, const float* gradients, std::size_t count,
                          float* out) {
  activation_gradients_with<Zmm>(function, x, gradients, count, out);
}
void gate(ActivationFunction function, const float* x, const float* factors, std::size_t count, float* out) {
  gate_with<Zmm>(function, x, factors, count, out);
}
void gate_gradients(ActivationFunction function, const float* x, const float* factors, const float* gradients,
                    std::size_t count, float* out, float* factors_out) {
  gate_gradients_with<Zmm>(function, x, factors, gradients, count, out, factors_out);
}
void normalize(const Normalization& n, const float* x, float* out) { normalize_with<Zmm>(n, x, out); }
void normalization_gradients(const Normalization& n, const float* x, const float* gradients, float* out) {
  normalization_gradients_with<Zmm>(n, x, gradients, out);
}
float largest(const float* row, std::size_t count) { return largest_with<Zmm>(row, count); }
float exponentials(float* row, std::size_t count, float shift) { return exponentials_with<Zmm>(row, count, shift); }
float cross_entropy(const float* logits, std::size_t classes, std::size_t label) {
  return cross_entropy_with<Zmm>(logits, classes, label);
}
void cross_entropy_gradient(const float* logits, std::size_t classes, std::size_t label, float gradient, float* out) {
  cross_entropy_gradient_with<Zmm>(logits, classes, label, gradient, out);
}
}  // namespace
}  // namespace bergson

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace bergson {
static bool supported() { return __builtin_cpu_supports("avx512f") && kAvx2.supported(); }
const InstructionSet kAvx512 = {"avx512", supported, 2 * Zmm::kWidth, multiply, add_products, inverse_roots,
    widen, dots, activate, activation_gradients, gate, gate_gradients,
    normalize, normalization_gradients, largest, exponentials, cross_entropy, cross_entropy_gradient};
}  // namespace bergson
#endif

// Matrix products with a thin right-hand side and what goes with them, for one instruction set each.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bergson {

// C [m, n] = A B, or C + A B where `accumulate`; float32, row by row in memory, `stride` floats a row.
struct Product {
  // A is stored as [k, m] rather than [m, k].
  bool transposed;
  bool accumulate;
  std::size_t m, n, k;
  const float* a;
  std::size_t a_stride;
  const float* b;
  std::size_t b_stride;
  float* c;
  std::size_t c_stride;
};

// Lines of A [rows, width] and B, `stride` floats from one to the next.
struct Lines {
  std::size_t rows, width;
  const float* a;
  std::size_t a_stride;
  const float* b;
  std::size_t b_stride;
};

// A row of `count` numbers, float16 where `half`, and one to four queries, `stride` floats from one to the next.
struct Dots {
  const void* row;
  bool half;
  std::size_t count;
  const float* queries;
  std::size_t stride;
  std::size_t query_count;
};

// kernels/activation.ts defines them.
enum class ActivationFunction { kGelu, kGeluTanh, kSilu };

// kernels/normalization.ts defines it. Rows of `width`; without `scale` or `shift` where they are null.
struct Normalization {
  std::size_t width;
  float epsilon;
  bool centered;
  const float* scale;
  const float* shift;
};

// Each element is summed over k in order, whatever m and n are: how work is divided over rows does not show.
struct InstructionSet {
  const char* name;
  bool (*supported)();
  // How many columns `multiply` takes at one time: it reads B fastest where those of a row lie beside the next row's.
  std::size_t columns;
  void (*multiply)(const Product&);
  // Adds the sum over lines of A times B, element by element, to out [width].
  void (*add_products)(const Lines&, float* out);
  // out [count] = 1 / (sqrt(correction x) + epsilon).
  void (*inverse_roots)(const float* x, std::size_t count, float correction, float epsilon, float* out);
  // Writes `count` numbers, float16 where `half`, as float32; returns the sum of their squares.
  float (*widen)(const void* from, bool half, std::size_t count, float* out);
  // Adds the inner products of a row with each query to sums; returns the sum of the row's squares.
  float (*dots)(const Dots&, float* sums);
  // out [count] = the function of x.
  void (*activate)(ActivationFunction, const float* x, std::size_t count, float* out);
  // out [count] = gradients times the function's derivative at x.
  void (*activation_gradients)(ActivationFunction, const float* x, const float* gradients, std::size_t count, float* out);
  // out [count] = the function of x, times factors.
  void (*gate)(ActivationFunction, const float* x, const float* factors, std::size_t count, float* out);
  // The gradients of x and of the factors.
  void (*gate_gradients)(ActivationFunction, const float* x, const float* factors, const float* gradients,
                         std::size_t count, float* out, float* factors_out);
  // out = a row x normalized.
  void (*normalize)(const Normalization&, const float* x, float* out);
  // out = the gradient of a row x.
  void (*normalization_gradients)(const Normalization&, const float* x, const float* gradients, float* out);
  // The largest of a row's numbers; what is not a number does not count.
  float (*largest)(const float* row, std::size_t count);
  // row [count] = exp(row - shift), to within 2 units in the last place, and 0 below e^-87; returns the sum. `count` is a multiple of 16.
  float (*exponentials)(float* row, std::size_t count, float shift);
  // -log softmax(logits)[label] of one row, and its gradient times `gradient`: out [classes].
  float (*cross_entropy)(const float* logits, std::size_t classes, std::size_t label);
  void (*cross_entropy_gradient)(const float* logits, std::size_t classes, std::size_t label, float gradient, float* out);
};

extern const InstructionSet kBaseline;
#if defined(__x86_64__)
extern const InstructionSet kAvx2;
extern const InstructionSet kAvx512;
#endif

}  // namespace bergson

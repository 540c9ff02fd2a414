// Per-example gradients of a linear map, each element divided by the root of its second moment, projected.
#pragma once
#include "project-factors.h"

namespace bergson {

// out_n [p, q] = multiplier L (G_n / (sqrt(correction V) + epsilon)) R, with G_n = sum_s d_ns a_nsᵀ and, where there is
// a bias row, sum_s d_ns as the gradient of one more input. G_n exists a tile at a time.
struct NormalizedFactors {
  Factors factors;
  const float* moments;       // V [inputs, outputs]
  const float* bias_moments;  // [outputs]; null: there is no bias
  const float* constants;     // [correction, epsilon]
};

// The multiplications that it takes.
double normalized_work(const Factors& factors);

// Writes out [examples, p, q]. The numbers depend on the factors and the instruction set, not on threads or timing.
void project_normalized(const NormalizedFactors& normalized, float* out);

}  // namespace bergson

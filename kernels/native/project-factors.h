// The projected per-example gradients of a linear map, without forming the gradients.
#pragma once
#include <cstddef>

#include "patches.h"

namespace bergson {

// out_n [p, q] = multiplier sum_s (d_ns L)ᵀ (a_ns R + b) for a_ns [inputs], R [inputs, q], b [q], d_ns [outputs], L [outputs, p].
struct Factors {
  std::size_t examples, positions, inputs, outputs, p, q;
  const float* activations;       // [examples, positions, inputs]; with patches, their images
  const Patches* patches;         // null: activations are rows as they are
  const float* right;             // null: the identity, and q = inputs; not with patches
  const float* bias_row;          // null: zero
  const float* output_gradients;  // [examples, positions, outputs]
  const float* left;              // null: the identity, and p = outputs
  float multiplier;
};

// Whether there is nothing to add up, or nothing to write it to.
bool is_nothing(const Factors& factors);

// The multiplications that it takes.
double projection_work(const Factors& factors);

// Writes out [examples, p, q]. The numbers depend on the factors and the instruction set, not on threads or timing.
void project_factors(const Factors& factors, float* out);

}  // namespace bergson

// The gradients of scales and shifts by channel.
#pragma once
#include <cstddef>
#include <string>

#include "operation.h"

namespace bergson {

struct ChannelSums {
  std::size_t examples, positions, channels;
  const float* output_gradients;  // [examples, positions, channels]
  const float* values;            // the same
  const float* center;            // [channels]; null: zero
};

// out [examples, 2, channels]: the sums over positions of output gradient times (value - center), and of output gradient.
void sum_products(const ChannelSums& sums, float* out);

// What is wrong with output gradients [N, ..., C], values [N, ..., C] and a center [C], or nothing.
std::string wrong_channels(const Input& gradients, const Input& values, const Input& center);

// Of inputs that are right.
ChannelSums channel_sums_of(const Input& gradients, const Input& values, const Input& center);

}  // namespace bergson

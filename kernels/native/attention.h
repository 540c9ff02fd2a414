// Causal attention by blocks of queries, forward and backward: kernels/causal-attention.ts says what is computed.
#pragma once
#include <cstddef>

namespace bergson {

// Vectors of heads: [examples, positions, heads, size], whatever else lies between them.
template <class Number>
struct Heads {
  Number* data;
  std::size_t example, position, head;  // floats from one to the next

  Number* at(std::size_t n, std::size_t h) const { return data + n * example + h * head; }
};

struct Attention {
  std::size_t examples, positions, heads, key_heads, size;
  // How many positions a query sees, its own and those before it.
  std::size_t window;
  float scale;
  Heads<const float> query, key, value;
  // Of rotary embeddings [positions, turned]: channels i and turned + i of queries and keys are turned by an angle.
  const float* cosines;
  const float* sines;
  std::size_t turned;
};

// output, and of each query's products [examples, heads, positions, 2] the largest and the sum of exponentials of
// products less that.
void attend(const Attention& in, const Heads<float>& output, float* statistics);

struct AttentionGradients {
  Heads<const float> output, output_gradient;
  const float* statistics;
  Heads<float> query, key, value;  // written
};

void attend_backwards(const Attention& in, const AttentionGradients& gradients);

}  // namespace bergson

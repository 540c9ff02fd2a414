// BergsonCausalAttention: query [N, S, H D], key and value [N, S, K D], or all three as query [N, S, 3 H D] with key and value
// [0, 0]; angles [2, S, R / 2] of rotary embeddings, cosines before sines ([0, 0]: none) -> output [N, S, H D], and
// statistics [N, H, S, 2] of each query's products, which the gradients take.
// BergsonCausalAttentionGradients: the same inputs, output, statistics, output_gradients [N, S, H D] -> the gradients, each of
// its input's shape. Attributes: `scale`; `heads`: H, K, the window (0: none), and 1 where of three in one each head has
// its query, key and value beside each other. On the processor alone.
#include <algorithm>
#include <limits>

#include "attention.h"
#include "operations.h"

namespace bergson {
namespace {

constexpr char kForward[] = "BergsonCausalAttention";
constexpr char kGradients[] = "BergsonCausalAttentionGradients";

struct Attributes {
  static constexpr int kCount = 4;
  float scale = 1;
  int64_t values[kCount] = {};

  std::size_t heads() const { return static_cast<std::size_t>(values[0]); }
  std::size_t key_heads() const { return static_cast<std::size_t>(values[1]); }
  std::size_t window() const { return static_cast<std::size_t>(values[2]); }
  bool head_by_head() const { return values[3] != 0; }

  bool valid() const {
    for (int i = 0; i < 2; i++) {
      if (values[i] < 1 || values[i] > std::numeric_limits<int32_t>::max()) return false;
    }
    return values[0] % values[1] == 0 && values[2] >= 0 && (values[3] == 0 || values[3] == 1);
  }
};

template <const char* kName>
void* create(TF_OpKernelConstruction* construction) {
  Status status;
  Attributes* read = new Attributes;
  tf.TF_OpKernelConstruction_GetAttrFloat(construction, "scale", &read->scale, status);
  if (status.ok()) {
    tf.TF_OpKernelConstruction_GetAttrInt64List(construction, "heads", read->values, Attributes::kCount, status);
  }
  if (status.ok() && !read->valid()) {
    std::string text = std::string(kName) + ": heads [";
    for (int i = 0; i < Attributes::kCount; i++) text += (i == 0 ? "" : ", ") + std::to_string(read->values[i]);
    tf.TF_SetStatus(status, kInvalidArgument, (text + "] is out of range").c_str());
  }
  if (status.ok()) return read;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete read;
  return nullptr;
}

void destroy(void* kernel) { delete static_cast<Attributes*>(kernel); }

struct Inputs {
  Input query{"query"}, key{"key"}, value{"value"}, angles{"angles"};

  bool joined() const { return !key.present() && !value.present(); }
};

// "query [2, 3, 5] has no multiple of 4 heads' channels"
std::string heads_missing(const Input& input, std::size_t heads) {
  return input.text() + " has no multiple of " + std::to_string(heads) + " heads' channels";
}

bool has_heads(const Input& input, std::size_t heads) { return input[2] > 0 && input[2] % heads == 0; }

std::string wrong_maps(const Inputs& in, const Attributes& attributes) {
  if (in.joined()) {
    if (attributes.key_heads() != attributes.heads()) return "query holds keys, too, of as many heads";
    return has_heads(in.query, 3 * attributes.heads()) ? "" : heads_missing(in.query, 3 * attributes.heads());
  }
  if (!has_heads(in.query, attributes.heads())) return heads_missing(in.query, attributes.heads());
  for (const Input* input : {&in.key, &in.value}) {
    const std::string wrong = wrong_rank(*input, 3);
    if (!wrong.empty()) return wrong;
    if ((*input)[0] != in.query[0]) return differ(in.query, *input, "examples");
    if ((*input)[1] != in.query[1]) return differ(in.query, *input, "positions");
    if (!has_heads(*input, attributes.key_heads())) return heads_missing(*input, attributes.key_heads());
    if ((*input)[2] / attributes.key_heads() != in.query[2] / attributes.heads()) {
      return differ(in.query, *input, "channels of a head");
    }
  }
  return "";
}

std::size_t head_size(const Inputs& in, const Attributes& attributes) {
  return in.query[2] / attributes.heads() / (in.joined() ? 3 : 1);
}

std::string wrong(const Inputs& in, const Attributes& attributes) {
  std::string wrong = wrong_rank(in.query, 3);
  if (wrong.empty()) wrong = wrong_maps(in, attributes);
  if (!wrong.empty() || !in.angles.present()) return wrong;
  wrong = wrong_rank(in.angles, 3);
  if (!wrong.empty()) return wrong;
  if (in.angles[0] != 2) return in.angles.text() + " is not of cosines and sines";
  if (in.angles[1] != in.query[1]) return differ(in.angles, in.query, "positions");
  if (2 * in.angles[2] > head_size(in, attributes)) return differ(in.angles, in.query, "channels of a head");
  return "";
}

// Where query, key or value, the `map`th of them, lies in the tensor of its input.
template <class Number>
Heads<Number> heads_of(Number* data, const Input& input, bool joined, int map, const Attributes& attributes,
                       std::size_t size) {
  const std::size_t channels = input[2];
  if (!joined) return {data, input[1] * channels, channels, size};
  const std::size_t step = attributes.head_by_head() ? size : attributes.heads() * size;
  return {data + map * step, input[1] * channels, channels, attributes.head_by_head() ? 3 * size : size};
}

Heads<const float> heads_of(const Input& input, const Attributes& attributes, std::size_t size) {
  return heads_of(input.data(), input, false, 0, attributes, size);
}

Attention attention_of(const Inputs& in, const Attributes& attributes) {
  const std::size_t positions = in.query[1], size = head_size(in, attributes);
  const bool joined = in.joined();
  const auto heads = [&](const Input& input, int map) {
    const Input& from = joined ? in.query : input;
    return heads_of(from.data(), from, joined, map, attributes, size);
  };
  const std::size_t turned = in.angles.present() ? in.angles[2] : 0;
  const std::size_t window = attributes.window() == 0 ? positions : std::min(positions, attributes.window());
  return {in.query[0],        positions,        attributes.heads(), attributes.key_heads(), size,
          window,             attributes.scale, heads(in.query, 0), heads(in.key, 1),       heads(in.value, 2),
          in.angles.data(),   turned == 0 ? nullptr : in.angles.data() + positions * turned, turned};
}

void compute_forward(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const Attributes*>(kernel);
  Inputs in;
  if (!read_inputs(context, {&in.query, &in.key, &in.value, &in.angles})) return;
  const std::string why = wrong(in, attributes);
  if (!why.empty()) {
    refuse(context, kForward, why);
    return;
  }
  const Attention attention = attention_of(in, attributes);
  const std::size_t channels = attention.heads * attention.size;
  const Output output(context, 0, {attention.examples, attention.positions, channels});
  const Output statistics(context, 1, {attention.examples, attention.heads, attention.positions, 2});
  if (!output.allocated() || !statistics.allocated()) return;
  attend(attention, {output.data(), attention.positions * channels, channels, attention.size}, statistics.data());
}

std::string wrong_gradients(const Attention& attention, const Inputs& in, const Input& output, const Input& statistics,
                            const Input& output_gradients) {
  for (const Input* input : {&output, &output_gradients}) {
    const std::string wrong = wrong_rank(*input, 3);
    if (!wrong.empty()) return wrong;
    if ((*input)[0] != attention.examples) return differ(in.query, *input, "examples");
    if ((*input)[1] != attention.positions) return differ(in.query, *input, "positions");
    if ((*input)[2] != attention.heads * attention.size) return differ(in.query, *input, "channels of a head");
  }
  if (statistics.shape() != std::vector<std::size_t>{attention.examples, attention.heads, attention.positions, 2}) {
    return differ(in.query, statistics, "examples, heads or positions");
  }
  return "";
}

void compute_gradients(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const Attributes*>(kernel);
  Inputs in;
  Input output("output"), statistics("statistics"), output_gradients("output_gradients");
  if (!read_inputs(context, {&in.query, &in.key, &in.value, &in.angles, &output, &statistics, &output_gradients})) return;
  std::string why = wrong(in, attributes);
  if (!why.empty()) {
    refuse(context, kGradients, why);
    return;
  }
  const Attention attention = attention_of(in, attributes);
  why = wrong_gradients(attention, in, output, statistics, output_gradients);
  if (!why.empty()) {
    refuse(context, kGradients, why);
    return;
  }
  const Output query(context, 0, in.query.shape()), key(context, 1, in.key.shape()),
      value(context, 2, in.value.shape());
  if (!query.allocated() || !key.allocated() || !value.allocated()) return;
  const bool joined = in.joined();
  const auto heads = [&](const Output& gradient, const Input& input, int map) {
    return heads_of(joined ? query.data() : gradient.data(), joined ? in.query : input, joined, map, attributes,
                    attention.size);
  };
  attend_backwards(attention, {heads_of(output, attributes, attention.size),
                               heads_of(output_gradients, attributes, attention.size), statistics.data(),
                               heads(query, in.query, 0), heads(key, in.key, 1), heads(value, in.value, 2)});
}

std::vector<const char*> attributes() { return {"scale: float", "heads: list(int) >= 4"}; }

}  // namespace

Operation causal_attention_operation() {
  return {kForward,
          {"query: float", "key: float", "value: float", "angles: float"},
          attributes(),
          {"output: float", "statistics: float"},
          create<kForward>,
          compute_forward,
          nullptr,
          destroy};
}

Operation causal_attention_gradients_operation() {
  return {kGradients,
          {"query: float", "key: float", "value: float", "angles: float", "output: float", "statistics: float",
           "output_gradients: float"},
          attributes(),
          {"query_gradients: float", "key_gradients: float", "value_gradients: float"},
          create<kGradients>,
          compute_gradients,
          nullptr,
          destroy};
}

}  // namespace bergson

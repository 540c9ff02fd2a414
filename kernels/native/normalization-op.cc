// BergsonNormalization: x [..., C], scale [C], shift [C] ([0, 0]: none), attributes `epsilon` and `centered` -> [..., C],
// (x - mean) / sqrt(variance + epsilon) scale + shift over the last axis; without centering x / sqrt(mean x^2 + epsilon) ...
// BergsonNormalizationGradient: x [..., C], scale [C], output_gradients [..., C] -> [..., C], the gradient of x.
#include "each-row.h"
#include "instruction-sets.h"
#include "operations.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonNormalization";
constexpr char kGradientName[] = "BergsonNormalizationGradient";
// What an element takes, in the multiplications that the pool counts.
constexpr double kWork = 8;

struct Attributes {
  float epsilon;
  unsigned char centered;
};

void* create(TF_OpKernelConstruction* construction) {
  Status status;
  auto* attributes = new Attributes{};
  tf.TF_OpKernelConstruction_GetAttrFloat(construction, "epsilon", &attributes->epsilon, status);
  if (status.ok()) tf.TF_OpKernelConstruction_GetAttrBool(construction, "centered", &attributes->centered, status);
  if (status.ok()) return attributes;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete attributes;
  return nullptr;
}

void destroy(void* kernel) { delete static_cast<Attributes*>(kernel); }

Normalization normalization_of(const Attributes& attributes, const Input& x, const float* scale, const float* shift) {
  return {x.width(), attributes.epsilon, attributes.centered != 0, scale, shift};
}

std::string wrong_weight(const Input& x, const Input& weight) {
  if (!weight.present()) return "";
  if (weight.rank() != 1) return wrong_rank(weight, 1);
  return weight[0] == x.width() ? "" : differ(weight, x, "channels");
}

// Calls `task` with the first element of each row.
template <class Task>
void each_row_of(const Input& x, const Task& task) {
  const std::size_t width = x.width();
  each_row(elements(x.shape()) / width, width, kWork, [&](std::size_t row) { task(row * width); });
}

void compute(void* kernel, TF_OpKernelContext* context) {
  Input x("x"), scale("scale"), shift("shift");
  if (!read_inputs(context, {&x, &scale, &shift})) return;
  std::string why = rank_below(x, 1);
  for (const Input* weight : {&scale, &shift}) {
    if (why.empty()) why = wrong_weight(x, *weight);
  }
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  const Normalization n =
      normalization_of(*static_cast<const Attributes*>(kernel), x, scale.data(), shift.data());
  write_output(context, x.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_row_of(x, [&](std::size_t first) { set.normalize(n, x.data() + first, out + first); });
  });
}

void compute_gradient(void* kernel, TF_OpKernelContext* context) {
  Input x("x"), scale("scale"), gradients("output_gradients");
  if (!read_inputs(context, {&x, &scale, &gradients})) return;
  std::string why = rank_below(x, 1);
  if (why.empty()) why = wrong_weight(x, scale);
  if (why.empty() && x.shape() != gradients.shape()) why = differ(x, gradients, "shape");
  if (!why.empty()) {
    refuse(context, kGradientName, why);
    return;
  }
  const Normalization n = normalization_of(*static_cast<const Attributes*>(kernel), x, scale.data(), nullptr);
  write_output(context, x.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_row_of(x, [&](std::size_t first) {
      set.normalization_gradients(n, x.data() + first, gradients.data() + first, out + first);
    });
  });
}

const std::vector<const char*> kAttributes = {"epsilon: float", "centered: bool"};

}  // namespace

Operation normalization_operation() {
  return {kName,  {"x: float", "scale: float", "shift: float"}, kAttributes, {"y: float"}, create, compute, nullptr,
          destroy};
}

Operation normalization_gradient_operation() {
  return {kGradientName,
          {"x: float", "scale: float", "output_gradients: float"},
          kAttributes,
          {"gradients: float"},
          create,
          compute_gradient,
          nullptr,
          destroy};
}

}  // namespace bergson

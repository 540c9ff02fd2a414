// BergsonActivation: x [...], attribute `function` -> [...], an activation function of each element.
// BergsonActivationGradient: x [...], output_gradients [...] -> [...], output gradient times that function's derivative at x.
// BergsonGatedActivation: x [...], factors [...], attribute `function` -> [...], the function of each element times its factor.
// BergsonGatedActivationGradients: x, factors, output_gradients, each [...] -> the gradients of x and of the factors.
#include <algorithm>

#include "instruction-sets.h"
#include "operations.h"
#include "thread-pool.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonActivation";
constexpr char kGradientName[] = "BergsonActivationGradient";
constexpr char kGatedName[] = "BergsonGatedActivation";
constexpr char kGatedGradientsName[] = "BergsonGatedActivationGradients";
constexpr char kFunctions[] = "function: {'gelu', 'geluTanh', 'silu'}";
// Elements done at a time.
constexpr std::size_t kChunk = 16384;
// What one takes, in the multiplications that the pool counts.
constexpr double kWork = 20;

void* create(TF_OpKernelConstruction* construction) {
  Status status;
  char name[16] = "";
  tf.TF_OpKernelConstruction_GetAttrString(construction, "function", name, sizeof name - 1, status);
  if (!status.ok()) {
    tf.TF_OpKernelConstruction_Failure(construction, status);
    return nullptr;
  }
  const std::string text = name;
  // TensorFlow has held the name against the list.
  return new ActivationFunction(text == "gelu"       ? ActivationFunction::kGelu
                                : text == "geluTanh" ? ActivationFunction::kGeluTanh
                                                     : ActivationFunction::kSilu);
}

void destroy(void* kernel) { delete static_cast<ActivationFunction*>(kernel); }

// Calls `task` with the first element of each chunk and how many it has.
template <class Task>
void each_chunk(std::size_t count, const Task& task) {
  const std::size_t chunks = (count + kChunk - 1) / kChunk;
  ThreadPool::instance().run(chunks, kWork * static_cast<double>(count), [&](std::size_t chunk) {
    const std::size_t first = chunk * kChunk;
    task(first, std::min(kChunk, count - first));
  });
}

void compute(void* kernel, TF_OpKernelContext* context) {
  const ActivationFunction function = *static_cast<const ActivationFunction*>(kernel);
  Input x("x");
  if (!read_inputs(context, {&x})) return;
  write_output(context, x.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_chunk(elements(x.shape()), [&](std::size_t first, std::size_t count) {
      set.activate(function, x.data() + first, count, out + first);
    });
  });
}

void compute_gradient(void* kernel, TF_OpKernelContext* context) {
  const ActivationFunction function = *static_cast<const ActivationFunction*>(kernel);
  Input x("x"), gradients("output_gradients");
  if (!read_inputs(context, {&x, &gradients})) return;
  if (x.shape() != gradients.shape()) {
    refuse(context, kGradientName, differ(x, gradients, "shape"));
    return;
  }
  write_output(context, x.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_chunk(elements(x.shape()), [&](std::size_t first, std::size_t count) {
      set.activation_gradients(function, x.data() + first, gradients.data() + first, count, out + first);
    });
  });
}

void compute_gated(void* kernel, TF_OpKernelContext* context) {
  const ActivationFunction function = *static_cast<const ActivationFunction*>(kernel);
  Input x("x"), factors("factors");
  if (!read_inputs(context, {&x, &factors})) return;
  if (x.shape() != factors.shape()) {
    refuse(context, kGatedName, differ(x, factors, "shape"));
    return;
  }
  write_output(context, x.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_chunk(elements(x.shape()), [&](std::size_t first, std::size_t count) {
      set.gate(function, x.data() + first, factors.data() + first, count, out + first);
    });
  });
}

void compute_gated_gradients(void* kernel, TF_OpKernelContext* context) {
  const ActivationFunction function = *static_cast<const ActivationFunction*>(kernel);
  Input x("x"), factors("factors"), gradients("output_gradients");
  if (!read_inputs(context, {&x, &factors, &gradients})) return;
  for (const Input* other : {&factors, &gradients}) {
    if (x.shape() == other->shape()) continue;
    refuse(context, kGatedGradientsName, differ(x, *other, "shape"));
    return;
  }
  const Output out(context, 0, x.shape());
  const Output factors_out(context, 1, x.shape());
  if (!out.allocated() || !factors_out.allocated()) return;
  const InstructionSet& set = instruction_set();
  each_chunk(elements(x.shape()), [&](std::size_t first, std::size_t count) {
    set.gate_gradients(function, x.data() + first, factors.data() + first, gradients.data() + first, count,
                       out.data() + first, factors_out.data() + first);
  });
}

}  // namespace

Operation activation_operation() { return {kName, {"x: float"}, {kFunctions}, {"y: float"}, create, compute, nullptr, destroy}; }

Operation activation_gradient_operation() {
  return {kGradientName,
          {"x: float", "output_gradients: float"},
          {kFunctions},
          {"gradients: float"},
          create,
          compute_gradient,
          nullptr,
          destroy};
}

Operation gated_activation_operation() {
  return {kGatedName, {"x: float", "factors: float"}, {kFunctions}, {"y: float"}, create, compute_gated, nullptr, destroy};
}

Operation gated_activation_gradients_operation() {
  return {kGatedGradientsName,
          {"x: float", "factors: float", "output_gradients: float"},
          {kFunctions},
          {"gradients: float", "factor_gradients: float"},
          create,
          compute_gated_gradients,
          nullptr,
          destroy};
}

}  // namespace bergson

// BergsonCrossEntropy: logits [N, classes], labels [N] -> [N], -log softmax(logits)[label].
// BergsonCrossEntropyGradient: the same and output_gradients [N] -> [N, classes], output gradient times (softmax(logits), less 1
// at the label).
#include "each-row.h"
#include "instruction-sets.h"
#include "operations.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonCrossEntropy";
constexpr char kGradientName[] = "BergsonCrossEntropyGradient";
// What a logit takes, in the multiplications that the pool counts.
constexpr double kWork = 20;

const std::int32_t* integers(const Input& input) { return reinterpret_cast<const std::int32_t*>(input.data()); }

std::string wrong(const Input& logits, const Input& labels) {
  if (logits.rank() != 2) return wrong_rank(logits, 2);
  if (labels.rank() != 1) return wrong_rank(labels, 1);
  if (labels[0] != logits[0]) return differ(labels, logits, "examples");
  for (std::size_t n = 0; n < labels[0]; n++) {
    const std::int32_t label = integers(labels)[n];
    if (label >= 0 && static_cast<std::size_t>(label) < logits[1]) continue;
    return std::to_string(label) + " in " + labels.text() + " is no class of " + logits.text();
  }
  return "";
}

void compute(void*, TF_OpKernelContext* context) {
  Input logits("logits"), labels("labels");
  if (!read_inputs(context, {&logits, &labels})) return;
  const std::string why = wrong(logits, labels);
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  write_output(context, labels.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_row(logits[0], logits[1], kWork, [&](std::size_t row) {
      const std::size_t label = static_cast<std::size_t>(integers(labels)[row]);
      out[row] = set.cross_entropy(logits.data() + row * logits[1], logits[1], label);
    });
  });
}

void compute_gradient(void*, TF_OpKernelContext* context) {
  Input logits("logits"), labels("labels"), gradients("output_gradients");
  if (!read_inputs(context, {&logits, &labels, &gradients})) return;
  std::string why = wrong(logits, labels);
  if (why.empty() && gradients.shape() != labels.shape()) why = differ(gradients, labels, "shape");
  if (!why.empty()) {
    refuse(context, kGradientName, why);
    return;
  }
  write_output(context, logits.shape(), [&](float* out) {
    const InstructionSet& set = instruction_set();
    each_row(logits[0], logits[1], kWork, [&](std::size_t row) {
      const std::size_t label = static_cast<std::size_t>(integers(labels)[row]);
      set.cross_entropy_gradient(logits.data() + row * logits[1], logits[1], label, gradients.data()[row],
                                 out + row * logits[1]);
    });
  });
}

}  // namespace

Operation cross_entropy_operation() {
  return {kName, {"logits: float", "labels: int32"}, {}, {"losses: float"}, create_nothing, compute, nullptr, destroy_nothing};
}

Operation cross_entropy_gradient_operation() {
  return {kGradientName,
          {"logits: float", "labels: int32", "output_gradients: float"},
          {},
          {"gradients: float"},
          create_nothing,
          compute_gradient,
          nullptr,
          destroy_nothing};
}

}  // namespace bergson

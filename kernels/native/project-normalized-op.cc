// BergsonProjectNormalized and, for the patches of images, BergsonProjectNormalizedPatches: what ProjectionInputs and
// ProjectionAttributes hold, then the second moments [..., O] of the kernel, which are [K, O] in memory, and [O] of the
// bias ([0, 0]: there is none), and [correction, epsilon] -> [N, p, q].
// In the background where that is wanted.
#include <memory>

#include "cuda-project.h"
#include "operations.h"
#include "projection-inputs.h"

namespace bergson {
namespace {

constexpr char kFactors[] = "BergsonProjectNormalized";
constexpr char kPatches[] = "BergsonProjectNormalizedPatches";

// What a call reads, which may outlive it.
struct Call {
  ProjectionInputs projection;
  Input moments{"moments"}, bias_moments{"bias_moments"}, constants{"constants"};
  Patches patches{};
  NormalizedFactors normalized{};

  explicit Call(const char* activations) : projection(activations) {}

  bool read(TF_OpKernelContext* context) {
    ProjectionInputs& p = projection;
    return read_inputs(context, {&p.activations, &p.right, &p.bias_row, &p.output_gradients, &p.left, &moments,
                                 &bias_moments, &constants});
  }
};

std::string wrong_moments(const Call& in, const Factors& factors) {
  const Input& d = in.projection.output_gradients;
  if (in.moments.rank() < 2) return in.moments.text() + " is of a rank below 2";
  if (in.moments.width() != factors.outputs) return differ(in.moments, d, "outputs");
  if (in.moments.examples() * in.moments.positions() != factors.inputs) {
    return differ(in.moments, in.projection.activations, "inputs");
  }
  if (in.bias_moments.present() != in.projection.bias_row.present()) return "of bias_row and bias_moments one is missing";
  if (in.bias_moments.present() && (in.bias_moments.rank() != 1 || in.bias_moments[0] != factors.outputs)) {
    return differ(in.bias_moments, d, "outputs");
  }
  if (in.constants.rank() != 1 || in.constants[0] != 2) return in.constants.text() + " is not of shape [2]";
  return "";
}

void project(TF_OpKernelContext* context, const char* name, Place place, const std::shared_ptr<Call>& call,
             const Factors& factors) {
  const std::string wrong = wrong_moments(*call, factors);
  if (!wrong.empty()) {
    refuse(context, name, wrong);
    return;
  }
  call->normalized = {factors, call->moments.data(), call->bias_moments.data(), call->constants.data()};
  compute_output_later(context, name, place, {factors.examples, factors.p, factors.q}, normalized_work(factors),
                       [call](float* out) { project_normalized(call->normalized, out); },
                       [&](CudaCall& cuda, float* out) { project_normalized_on_cuda(cuda, call->normalized, out); });
}

template <Place kPlace>
void compute_factors(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  const auto call = std::make_shared<Call>("activations");
  if (!call->read(context)) return;
  const ProjectionInputs& in = call->projection;
  const std::string wrong = wrong_factors(in);
  if (wrong.empty()) project(context, kFactors, kPlace, call, factors_of(in, nullptr, attributes.multiplier));
  else refuse(context, kFactors, wrong);
}

template <Place kPlace>
void compute_patches(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  const auto call = std::make_shared<Call>("image");
  if (!call->read(context)) return;
  const ProjectionInputs& in = call->projection;
  const std::string wrong = wrong_patches(in, attributes);
  if (!wrong.empty()) {
    refuse(context, kPatches, wrong);
    return;
  }
  call->patches = patches_of(in.activations, in.output_gradients, attributes);
  project(context, kPatches, kPlace, call, factors_of(in, &call->patches, attributes.multiplier));
}

std::vector<const char*> inputs_named(const char* activations) {
  std::vector<const char*> specs = ProjectionInputs::specs(activations);
  for (const char* more : {"moments: float", "bias_moments: float", "constants: float"}) specs.push_back(more);
  return specs;
}

}  // namespace

Operation project_normalized_operation() {
  return {kFactors,
          inputs_named("activations: float"),
          ProjectionAttributes::specs(false),
          {"projected: float"},
          create_projection<kFactors, false>,
          compute_factors<Place::kProcessor>,
          compute_factors<Place::kGpu>,
          destroy_projection};
}

Operation project_normalized_patches_operation() {
  return {kPatches,
          inputs_named("image: float"),
          ProjectionAttributes::specs(true),
          {"projected: float"},
          create_projection<kPatches, true>,
          compute_patches<Place::kProcessor>,
          compute_patches<Place::kGpu>,
          destroy_projection};
}

}  // namespace bergson

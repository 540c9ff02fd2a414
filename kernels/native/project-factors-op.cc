// BergsonProjectFactors and, for the patches of images, BergsonProjectPatches: what ProjectionInputs and
// ProjectionAttributes hold -> [N, p, q].
#include "cuda-project.h"
#include "operations.h"
#include "projection-inputs.h"

namespace bergson {
namespace {

constexpr char kFactors[] = "BergsonProjectFactors";
constexpr char kPatches[] = "BergsonProjectPatches";

void project(TF_OpKernelContext* context, const char* name, Place place, const Factors& factors) {
  compute_output(context, name, place, {factors.examples, factors.p, factors.q},
                 [&](float* out) { project_factors(factors, out); },
                 [&](CudaCall& call, float* out) { project_factors_on_cuda(call, factors, out); });
}

template <Place kPlace>
void compute_factors(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  ProjectionInputs in("activations");
  if (!read_inputs(context, {&in.activations, &in.right, &in.bias_row, &in.output_gradients, &in.left})) return;
  const std::string wrong = wrong_factors(in);
  if (wrong.empty()) project(context, kFactors, kPlace, factors_of(in, nullptr, attributes.multiplier));
  else refuse(context, kFactors, wrong);
}

template <Place kPlace>
void compute_patches(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  ProjectionInputs in("image");
  if (!read_inputs(context, {&in.activations, &in.right, &in.bias_row, &in.output_gradients, &in.left})) return;
  const std::string wrong = wrong_patches(in, attributes);
  if (!wrong.empty()) {
    refuse(context, kPatches, wrong);
    return;
  }
  const Patches patches = patches_of(in.activations, in.output_gradients, attributes);
  project(context, kPatches, kPlace, factors_of(in, &patches, attributes.multiplier));
}

}  // namespace

Operation project_factors_operation() {
  return {kFactors,
          ProjectionInputs::specs("activations: float"),
          ProjectionAttributes::specs(false),
          "projected: float",
          create_projection<kFactors, false>,
          compute_factors<Place::kProcessor>,
          compute_factors<Place::kGpu>,
          destroy_projection};
}

Operation project_patches_operation() {
  return {kPatches,
          ProjectionInputs::specs("image: float"),
          ProjectionAttributes::specs(true),
          "projected: float",
          create_projection<kPatches, true>,
          compute_patches<Place::kProcessor>,
          compute_patches<Place::kGpu>,
          destroy_projection};
}

}  // namespace bergson

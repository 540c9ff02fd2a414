// BergsonProjectFactors and, for the patches of images, BergsonProjectPatches: what ProjectionInputs and
// ProjectionAttributes hold -> [N, p, q]. In the background where that is wanted.
#include <memory>

#include "cuda-project.h"
#include "operations.h"
#include "projection-inputs.h"

namespace bergson {
namespace {

constexpr char kFactors[] = "BergsonProjectFactors";
constexpr char kPatches[] = "BergsonProjectPatches";

// What a call reads, which may outlive it.
struct Call {
  ProjectionInputs in;
  Patches patches{};
  Factors factors{};

  explicit Call(const char* activations) : in(activations) {}

  bool read(TF_OpKernelContext* context) {
    return read_inputs(context, {&in.activations, &in.right, &in.bias_row, &in.output_gradients, &in.left});
  }
};

void project(TF_OpKernelContext* context, const char* name, Place place, const std::shared_ptr<const Call>& call) {
  const Factors& factors = call->factors;
  compute_output_later(context, name, place, {factors.examples, factors.p, factors.q}, projection_work(factors),
                       [call](float* out) { project_factors(call->factors, out); },
                       [&](CudaCall& cuda, float* out) { project_factors_on_cuda(cuda, factors, out); });
}

template <Place kPlace>
void compute_factors(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  const auto call = std::make_shared<Call>("activations");
  if (!call->read(context)) return;
  const std::string wrong = wrong_factors(call->in);
  if (!wrong.empty()) {
    refuse(context, kFactors, wrong);
    return;
  }
  call->factors = factors_of(call->in, nullptr, attributes.multiplier);
  project(context, kFactors, kPlace, call);
}

template <Place kPlace>
void compute_patches(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  const auto call = std::make_shared<Call>("image");
  if (!call->read(context)) return;
  const std::string wrong = wrong_patches(call->in, attributes);
  if (!wrong.empty()) {
    refuse(context, kPatches, wrong);
    return;
  }
  call->patches = patches_of(call->in.activations, call->in.output_gradients, attributes);
  call->factors = factors_of(call->in, &call->patches, attributes.multiplier);
  project(context, kPatches, kPlace, call);
}

}  // namespace

Operation project_factors_operation() {
  return {kFactors,
          ProjectionInputs::specs("activations: float"),
          ProjectionAttributes::specs(false),
          {"projected: float"},
          create_projection<kFactors, false>,
          compute_factors<Place::kProcessor>,
          compute_factors<Place::kGpu>,
          destroy_projection};
}

Operation project_patches_operation() {
  return {kPatches,
          ProjectionInputs::specs("image: float"),
          ProjectionAttributes::specs(true),
          {"projected: float"},
          create_projection<kPatches, true>,
          compute_patches<Place::kProcessor>,
          compute_patches<Place::kGpu>,
          destroy_projection};
}

}  // namespace bergson

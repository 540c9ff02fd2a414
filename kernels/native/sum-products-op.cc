// BergsonSumProducts: output_gradients [N, ..., C], values [N, ..., C], center [C] ([0, 0]: zero) -> [N, 2, C], for each
// example the sums over positions of output gradient times (value - center), and of output gradient.
#include "cuda-project.h"
#include "operations.h"
#include "sum-products.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonSumProducts";

template <Place kPlace>
void compute(void*, TF_OpKernelContext* context) {
  Input gradients("output_gradients"), values("values"), center("center");
  if (!read_inputs(context, {&gradients, &values, &center})) return;
  const std::string why = wrong_channels(gradients, values, center);
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  const ChannelSums sums = channel_sums_of(gradients, values, center);
  compute_output(context, kName, kPlace, {sums.examples, 2, sums.channels},
                 [&](float* out) { sum_products(sums, out); },
                 [&](CudaCall& call, float* out) { sum_products_on_cuda(call, sums, out); });
}

}  // namespace

Operation sum_products_operation() {
  return {kName,
          {"output_gradients: float", "values: float", "center: float"},
          {},
          {"sums: float"},
          create_nothing,
          compute<Place::kProcessor>,
          compute<Place::kGpu>,
          destroy_nothing};
}

}  // namespace bergson

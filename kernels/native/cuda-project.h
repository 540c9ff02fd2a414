// The operations on a GPU: what their namesakes in project-factors.h, project-normalized.h and sum-products.h do.
#pragma once
#include "cuda-call.h"
#include "project-normalized.h"
#include "sum-products.h"

namespace bergson {

void project_factors_on_cuda(CudaCall& call, const Factors& factors, float* out);
void project_normalized_on_cuda(CudaCall& call, const NormalizedFactors& normalized, float* out);

void sum_products_on_cuda(CudaCall& call, const ChannelSums& sums, float* out);

// out [examples, outputs, kernel pixels]: each example's gradient of a depthwise convolution's kernel.
void depthwise_on_cuda(CudaCall& call, const Patches& patches, std::size_t examples, std::size_t outputs,
                       const float* images, const float* output_gradients, float* out);

// Columns of the random matrix of kernels/random-matrix.ts that has this key: its entries' type, seed, stream and side.
struct RandomColumns {
  std::size_t count, rows;
  const int* columns;
  bool normal;
  unsigned seed, stream0, stream1, side;
};
void draw_columns_on_cuda(CudaCall& call, const RandomColumns& columns, float* out);

}  // namespace bergson

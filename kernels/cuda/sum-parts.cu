// The sum of a product's parts, in their order.
#include "tiles.cuh"

BERGSON_KERNEL(sum_parts, bergson::cuda::SumParts) {
  const long long i = static_cast<long long>(blockIdx.x) * bergson::cuda::kThreads + threadIdx.x;
  if (i >= args.size) return;
  float sum = args.parts[i];
  for (int part = 1; part < args.count; part++) sum += args.parts[part * args.size + i];
  args.out[i] = args.multiplier * sum;
}

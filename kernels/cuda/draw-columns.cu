// Columns of a random matrix, entry by entry, as kernels/random-matrix.ts defines them.
#include "philox.cuh"
#include "tiles.cuh"

namespace bergson::cuda {

__device__ inline float sign(const DrawColumns& args, unsigned column, unsigned row) {
  const Words words = philox4x32({{column / 4, row / 32, args.stream0, args.side}}, args.seed, args.stream1);
  const float scale = static_cast<float>(args.scale);
  return words.at[column % 4] >> row % 32 & 1 ? scale : -scale;
}

// Strictly between 0 and 1.
__device__ inline double uniform(unsigned word) { return (word + 0.5) / 4294967296.0; }

__device__ inline float normal(const DrawColumns& args, unsigned column, unsigned row) {
  const Words words = philox4x32({{column, row / 4, args.stream0, args.side + 2}}, args.seed, args.stream1);
  const unsigned pair = row % 4 / 2 * 2;
  const double radius = args.scale * sqrt(-2 * log(uniform(words.at[pair])));
  const double angle = 6.283185307179586 * uniform(words.at[pair + 1]);
  return static_cast<float>(radius * (row % 2 == 0 ? cos(angle) : sin(angle)));
}

}  // namespace bergson::cuda

BERGSON_KERNEL(draw_columns, bergson::cuda::DrawColumns) {
  const long long i = static_cast<long long>(blockIdx.x) * bergson::cuda::kThreads + threadIdx.x;
  if (i >= args.size) return;
  const unsigned column = args.columns[i / args.rows], row = i % args.rows;
  args.out[i] = args.normal ? bergson::cuda::normal(args, column, row) : bergson::cuda::sign(args, column, row);
}

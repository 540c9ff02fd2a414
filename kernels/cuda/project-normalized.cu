// Per-example gradients of a linear map, each element divided by the root of its second moment, times a random matrix. A
// gradient exists 64 outputs by 32 inputs at a time, in shared memory.
#include "patches.cuh"
#include "tiles.cuh"

namespace bergson::cuda {

template <int kColumns>
struct NormalizedTiles {
  alignas(16) float output_gradients[kDepth][kStride];
  alignas(16) float activations[kDepth][kDepth];
  Tiles<kColumns> product;  // its left factor is the gradient, an input's outputs in a row
};

// One example's factors, and what scales their product.
struct Example {
  const ProjectNormalized& args;
  int outputs, inputs;
  const float* activations;
  const float* output_gradients;
  float correction, epsilon;

  __device__ Example(const ProjectNormalized& arguments, int n)
      : args(arguments),
        outputs(arguments.product.rows),
        inputs(arguments.product.inner),
        activations(args.activations + n * (args.patches ? image_size(args.window) : static_cast<long long>(args.positions) * inputs)),
        output_gradients(args.output_gradients + static_cast<long long>(n) * args.positions * outputs),
        correction(args.constants[0]),
        epsilon(args.constants[1]) {}

  __device__ float output_gradient(int position, int output) const {
    return output < outputs ? output_gradients[static_cast<long long>(position) * outputs + output] : 0.0f;
  }

  __device__ float activation(int position, int input) const {
    if (input >= inputs) return 0;
    if (!args.patches) return activations[static_cast<long long>(position) * inputs + input];
    return patch_value(args.window, activations, PatchOrigin(args.window, position), PatchElement(args.window, input));
  }

  __device__ float scaled(float gradient, float moment) const {
    return gradient / (sqrtf(correction * moment) + epsilon);
  }

  __device__ float right(int input, int column) const {
    if (args.right == nullptr) return input == column ? 1.0f : 0.0f;
    return args.right[static_cast<long long>(input) * args.product.columns + column];
  }
};

// Writes the scaled gradient of 64 outputs and `depth` inputs to shared memory.
template <int kColumns>
__device__ void form_gradient(const Example& example, int output, int input, int depth, NormalizedTiles<kColumns>& tiles) {
  float sums[4][2] = {};
  for (int first = 0; first < example.args.positions; first += kDepth) {
    const int positions = min(kDepth, example.args.positions - first);
    fill_rows<kTileRows>(tiles.output_gradients, positions,
                         [&](int s, int i) { return example.output_gradient(first + s, output + i); });
    fill_rows<kDepth>(tiles.activations, positions, [&](int s, int i) { return example.activation(first + s, input + i); });
    __syncthreads();
    add_product(tiles.output_gradients, tiles.activations, positions, sums);
    __syncthreads();
  }
  const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16;
#pragma unroll
  for (int c = 0; c < 2; c++) {
    const int i = column + 16 * c;
    if (i >= depth) continue;
    const float* moments = example.args.moments + static_cast<long long>(input + i) * example.outputs;
#pragma unroll
    for (int r = row; r < row + 4; r++) {
      if (output + r < example.outputs) tiles.product.left[i][r] = example.scaled(sums[r - row][c], moments[output + r]);
    }
  }
}

// Adds the bias's column of the gradient, times its row of the matrix.
template <int kAcross>
__device__ void add_bias(const Example& example, const Tile& tile, float (&sums)[4][kAcross]) {
  const int row = tile.row + threadIdx.x / 16 * 4, column = tile.column + threadIdx.x % 16;
#pragma unroll
  for (int r = 0; r < 4; r++) {
    if (row + r >= example.outputs) continue;
    float gradient = 0;
    for (int s = 0; s < example.args.positions; s++) gradient += example.output_gradient(s, row + r);
    gradient = example.scaled(gradient, example.args.bias_moments[row + r]);
#pragma unroll
    for (int c = 0; c < kAcross; c++) {
      if (column + 16 * c < example.args.product.columns) sums[r][c] += gradient * example.args.bias_row[column + 16 * c];
    }
  }
}

template <int kAcross>
__device__ void project_normalized(const ProjectNormalized& args, NormalizedTiles<16 * kAcross>& tiles) {
  const Product& p = args.product;
  const Tile tile(p, 16 * kAcross);
  const Example example(args, tile.batch);
  float sums[4][kAcross] = {};
  for (int first = tile.first; first < tile.end; first += kDepth) {
    const int depth = min(kDepth, tile.end - first);
    // The last product was read before the barriers in here, of which there are some: positions are not zero.
    form_gradient(example, tile.row, first, depth, tiles);
    fill_rows<16 * kAcross>(tiles.product.right, depth, [&](int k, int j) {
      return tile.column + j < p.columns ? example.right(first + k, tile.column + j) : 0.0f;
    });
    __syncthreads();
    add_product(tiles.product.left, tiles.product.right, depth, sums);
  }
  if (args.bias_row != nullptr && tile.part == 0) add_bias(example, tile, sums);
  write_tile(p, tile, sums);
}

}  // namespace bergson::cuda

BERGSON_KERNEL(project_normalized_16, bergson::cuda::ProjectNormalized) {
  __shared__ bergson::cuda::NormalizedTiles<16> tiles;
  bergson::cuda::project_normalized<1>(args, tiles);
}

BERGSON_KERNEL(project_normalized_64, bergson::cuda::ProjectNormalized) {
  __shared__ bergson::cuda::NormalizedTiles<64> tiles;
  bergson::cuda::project_normalized<4>(args, tiles);
}

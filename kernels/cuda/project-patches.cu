// The patches of images times a random matrix.
#include "patches.cuh"
#include "tiles.cuh"

namespace bergson::cuda {

// The 64 patches of a tile.
struct PatchRows {
  const float* image[kTileRows];  // null: there is no such row
  PatchOrigin origin[kTileRows];
};

template <int kAcross>
__device__ void project_patches(const ProjectPatches& args, Tiles<16 * kAcross>& tiles, PatchRows& rows) {
  const Product& p = args.product;
  const Window& window = args.window;
  const Tile tile(p, 16 * kAcross);
  if (threadIdx.x < kTileRows) {
    const int row = tile.row + threadIdx.x;
    const int example = row / window.positions;
    rows.image[threadIdx.x] = row < p.rows ? args.image + example * image_size(window) : nullptr;
    rows.origin[threadIdx.x] = PatchOrigin(window, row % window.positions);
  }
  __syncthreads();
  const auto fill_left = [&](float (&to)[kDepth][kStride], int first, int depth) {
    const PatchElement element(window, first + threadIdx.x % kDepth);  // fill_columns gives a thread one k
    fill_columns(to, depth, [&](int, int i) {
      return rows.image[i] == nullptr ? 0.0f : patch_value(window, rows.image[i], rows.origin[i], element);
    });
  };
  multiply<kAcross>(p, tile, tiles, fill_left, [&](int k, int column) {
    return args.matrix[static_cast<long long>(k) * p.columns + column];
  });
}

}  // namespace bergson::cuda

BERGSON_KERNEL(project_patches_16, bergson::cuda::ProjectPatches) {
  __shared__ bergson::cuda::Tiles<16> tiles;
  __shared__ bergson::cuda::PatchRows rows;
  bergson::cuda::project_patches<1>(args, tiles, rows);
}

BERGSON_KERNEL(project_patches_64, bergson::cuda::ProjectPatches) {
  __shared__ bergson::cuda::Tiles<64> tiles;
  __shared__ bergson::cuda::PatchRows rows;
  bergson::cuda::project_patches<4>(args, tiles, rows);
}

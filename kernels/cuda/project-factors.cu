// The two products that the projected gradients of a linear map are made of: rows times a random matrix, and the sum over
// positions of what comes out.
#include "tiles.cuh"

namespace bergson::cuda {

template <int kAcross>
__device__ void project_rows(const ProjectRows& args, Tiles<16 * kAcross>& tiles) {
  const Product& p = args.product;
  const Tile tile(p, 16 * kAcross);
  const auto fill_left = [&](float (&to)[kDepth][kStride], int first, int depth) {
    fill_columns(to, depth, [&](int k, int i) {
      const int row = tile.row + i;
      return row < p.rows ? args.rows[static_cast<long long>(row) * p.inner + first + k] : 0.0f;
    });
  };
  multiply<kAcross>(p, tile, tiles, fill_left, [&](int k, int column) {
    return args.matrix[static_cast<long long>(k) * p.columns + column];
  });
}

template <int kAcross>
__device__ void contract(const Contract& args, Tiles<16 * kAcross>& tiles) {
  const Product& p = args.product;
  const Tile tile(p, 16 * kAcross);
  const float* left = args.left + tile.batch * args.left_stride;
  const float* right = args.right + static_cast<long long>(tile.batch) * p.inner * p.columns;
  const auto fill_left = [&](float (&to)[kDepth][kStride], int first, int depth) {
    fill_rows<kTileRows>(to, depth, [&](int k, int i) {
      const int row = tile.row + i;
      return row < p.rows ? left[static_cast<long long>(first + k) * p.rows + row] : 0.0f;
    });
  };
  multiply<kAcross>(p, tile, tiles, fill_left, [&](int k, int column) {
    const float value = right[static_cast<long long>(k) * p.columns + column];
    return args.bias_row == nullptr ? value : value + args.bias_row[column];
  });
}

}  // namespace bergson::cuda

BERGSON_KERNEL(project_rows_16, bergson::cuda::ProjectRows) {
  __shared__ bergson::cuda::Tiles<16> tiles;
  bergson::cuda::project_rows<1>(args, tiles);
}

BERGSON_KERNEL(project_rows_64, bergson::cuda::ProjectRows) {
  __shared__ bergson::cuda::Tiles<64> tiles;
  bergson::cuda::project_rows<4>(args, tiles);
}

BERGSON_KERNEL(contract_16, bergson::cuda::Contract) {
  __shared__ bergson::cuda::Tiles<16> tiles;
  bergson::cuda::contract<1>(args, tiles);
}

BERGSON_KERNEL(contract_64, bergson::cuda::Contract) {
  __shared__ bergson::cuda::Tiles<64> tiles;
  bergson::cuda::contract<4>(args, tiles);
}

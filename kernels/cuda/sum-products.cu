// Sums over positions by channel. A block has 32 channels of one example; of its threads 8 share a channel's positions.
#include "tiles.cuh"

BERGSON_KERNEL(sum_products, bergson::cuda::SumProducts) {
  constexpr int kChannels = 32, kLanes = bergson::cuda::kThreads / kChannels;
  __shared__ float products[kLanes][kChannels], sums[kLanes][kChannels];
  const int lane = threadIdx.x / kChannels, own = threadIdx.x % kChannels;
  const unsigned across = (args.channels + kChannels - 1) / kChannels;
  const int channel = blockIdx.x % across * kChannels + own;
  const int part = blockIdx.x / across % args.parts, example = blockIdx.x / across / args.parts;
  float product = 0, sum = 0;
  if (channel < args.channels) {
    const float center = args.center == nullptr ? 0.0f : args.center[channel];
    const long long offset = static_cast<long long>(example) * args.positions * args.channels + channel;
    const int end = min(args.positions, (part + 1) * args.part);
    for (int s = part * args.part + lane; s < end; s += kLanes) {
      const float d = args.output_gradients[offset + static_cast<long long>(s) * args.channels];
      product += d * (args.values[offset + static_cast<long long>(s) * args.channels] - center);
      sum += d;
    }
  }
  products[lane][own] = product;
  sums[lane][own] = sum;
  __syncthreads();
  if (lane > 0 || channel >= args.channels) return;
  for (int other = 1; other < kLanes; other++) {
    product += products[other][own];
    sum += sums[other][own];
  }
  float* out = args.out + (static_cast<long long>(part) * args.examples + example) * 2 * args.channels;
  out[channel] = product;
  out[args.channels + channel] = sum;
}

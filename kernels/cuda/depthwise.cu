// Per-example gradients of a depthwise convolution's kernel: sums over positions, as in sum-products.cu, of which a block
// has 32 outputs of one example and one pixel of the kernel.
#include "patches.cuh"
#include "tiles.cuh"

BERGSON_KERNEL(depthwise, bergson::cuda::Depthwise) {
  using namespace bergson::cuda;
  constexpr int kOutputs = 32, kLanes = kThreads / kOutputs;
  __shared__ float sums[kLanes][kOutputs];
  const int lane = threadIdx.x / kOutputs, own = threadIdx.x % kOutputs;
  const Window& window = args.window;
  const unsigned across = (args.outputs + kOutputs - 1) / kOutputs;
  const int output = blockIdx.x % across * kOutputs + own;
  const int pixel = blockIdx.x / across % args.pixels;
  const int part = blockIdx.x / across / args.pixels % args.parts;
  const int example = blockIdx.x / across / args.pixels / args.parts;
  float sum = 0;
  if (output < args.outputs) {
    const PatchElement element(window, pixel * window.channels + output / (args.outputs / window.channels));
    const float* image = args.image + example * image_size(window);
    const float* gradients = args.output_gradients + static_cast<long long>(example) * window.positions * args.outputs;
    const int end = min(window.positions, (part + 1) * args.part);
    for (int s = part * args.part + lane; s < end; s += kLanes) {
      const float gradient = gradients[static_cast<long long>(s) * args.outputs + output];
      sum += gradient * patch_value(window, image, PatchOrigin(window, s), element);
    }
  }
  sums[lane][own] = sum;
  __syncthreads();
  if (lane > 0 || output >= args.outputs) return;
  for (int other = 1; other < kLanes; other++) sum += sums[other][own];
  const long long result = static_cast<long long>(part) * args.examples + example;
  args.out[(result * args.outputs + output) * args.pixels + pixel] = sum;
}

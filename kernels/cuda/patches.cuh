// Elements of the patches that a convolution sees of an image, none of which exist in memory.
#pragma once
#include "arguments.h"

namespace bergson::cuda {

// Where the patch of a position begins, which may be outside the image.
struct PatchOrigin {
  int y, x;

  PatchOrigin() = default;
  __device__ PatchOrigin(const Window& w, int position)
      : y(position / w.out_width * w.stride_height - w.padding_top),
        x(position % w.out_width * w.stride_width - w.padding_left) {}
};

// Where an element of a patch is, from the patch's origin on.
struct PatchElement {
  int y, x, channel;

  __device__ PatchElement(const Window& w, int element)
      : y(element / w.channels / w.kernel_width * w.dilation_height),
        x(element / w.channels % w.kernel_width * w.dilation_width),
        channel(element % w.channels) {}
};

__device__ inline long long image_size(const Window& w) {
  return static_cast<long long>(w.height) * w.width * w.channels;
}

// Zero outside the image.
__device__ inline float patch_value(const Window& w, const float* image, PatchOrigin origin, PatchElement element) {
  const int y = origin.y + element.y, x = origin.x + element.x;
  if (y < 0 || y >= w.height || x < 0 || x >= w.width) return 0;
  return image[(static_cast<long long>(y) * w.width + x) * w.channels + element.channel];
}

}  // namespace bergson::cuda

// The patches that a convolution sees of an image, as rows of a matrix that is never formed.
#pragma once
#include <cstddef>

#include "tiles.h"

namespace bergson {

// A two-dimensional convolution over images [height, width, channels], and what it puts out. Positions are numbered
// row by row; a patch is [kernel_height, kernel_width, channels], and zero outside the image.
struct Patches {
  std::size_t height, width, channels;
  std::size_t kernel_height, kernel_width;
  std::size_t stride_height, stride_width;
  std::size_t dilation_height, dilation_width;
  std::size_t padding_top, padding_left;
  std::size_t out_height, out_width;

  std::size_t inputs() const { return kernel_height * kernel_width * channels; }
  std::size_t image() const { return height * width * channels; }
  std::size_t positions() const { return out_height * out_width; }
};

// Adds patches `first` to `end` times right [inputs, q] to out [end - first, q].
void add_projected_patches(const Patches& patches, const float* image, std::size_t first, std::size_t end,
                           const float* right, std::size_t q, const InstructionSet& set, float* out);

// Copies elements `first` to `first + count` of every patch to out [positions, count].
void copy_patches(const Patches& patches, const float* image, std::size_t first, std::size_t count, float* out);

}  // namespace bergson

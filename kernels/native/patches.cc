#include "patches.h"

#include <algorithm>

#include "scratch.h"

namespace bergson {
namespace {

// Lines of the image with zeros to both sides, as far as the patches of some positions reach.
class PaddedLines {
 public:
  PaddedLines(const Patches& p, const float* image, std::size_t first_row, std::size_t last_row)
      : line_(((p.out_width - 1) * p.stride_width + (p.kernel_width - 1) * p.dilation_width + 1) * p.channels),
        top_(p.padding_top),
        height_(p.height) {
    const std::size_t own = p.width * p.channels;
    const std::size_t left = p.padding_left * p.channels;
    if (left == 0 && line_ <= own) {
      line_ = own;
      lines_ = image;
      return;
    }
    const std::size_t reach = last_row * p.stride_height + (p.kernel_height - 1) * p.dilation_height + 1;
    const std::size_t begin = std::max(first_row * p.stride_height, top_) - top_;
    const std::size_t end = std::min(std::max(reach, top_) - top_, p.height);
    if (end <= begin) return;
    const std::size_t count = std::min(own, line_ - std::min(left, line_));
    thread_local std::vector<float> buffer;
    float* to = scratch(buffer, (end - begin) * line_);
    for (std::size_t y = begin; y < end; y++, to += line_) {
      std::fill_n(to, left, 0.0f);
      std::copy_n(image + y * own, count, to + left);
      std::fill(to + left + count, to + line_, 0.0f);
    }
    first_ = begin;
    lines_ = buffer.data();
  }

  // Floats from one line to the next.
  std::size_t size() const { return line_; }

  // The line that the padded image has at `y`; null where it is all padding.
  const float* at(std::size_t y) const {
    return y < top_ || y - top_ >= height_ ? nullptr : lines_ + (y - top_ - first_) * line_;
  }

 private:
  std::size_t line_;
  std::size_t top_;
  std::size_t height_;
  std::size_t first_ = 0;
  const float* lines_ = nullptr;
};

}  // namespace

void add_projected_patches(const Patches& p, const float* image, std::size_t first, std::size_t end,
                           const float* right, std::size_t q, const InstructionSet& set, float* out) {
  const PaddedLines lines(p, image, first / p.out_width, (end - 1) / p.out_width);
  const std::size_t step = p.stride_width * p.channels;
  // Side by side without dilation, a line of the patch is one run of floats; else each of its pixels is.
  const std::size_t runs = p.dilation_width == 1 ? 1 : p.kernel_width;
  const std::size_t run = p.kernel_width / runs * p.channels;
  for (std::size_t position = first; position < end;) {
    const std::size_t row = position / p.out_width;
    const std::size_t column = position % p.out_width;
    const std::size_t count = std::min(p.out_width - column, end - position);
    for (std::size_t ky = 0; ky < p.kernel_height; ky++) {
      const float* line = lines.at(row * p.stride_height + ky * p.dilation_height);
      if (line == nullptr) continue;
      for (std::size_t kx = 0; kx < runs; kx++) {
        const float* from = line + column * step + kx * p.dilation_width * p.channels;
        const float* filter = right + (ky * runs + kx) * run * q;
        set.multiply({false, true, count, q, run, from, step, filter, q, out, q});
      }
    }
    position += count;
    out += count * q;
  }
}

void copy_patches(const Patches& p, const float* image, std::size_t first, std::size_t count, float* out) {
  // One pixel of the kernel after another, so that what is the same for all positions is found once.
  for (std::size_t element = first; element < first + count;) {
    const std::size_t channel = element % p.channels;
    const std::size_t run = std::min(p.channels - channel, first + count - element);
    const std::size_t ky = element / p.channels / p.kernel_width;
    const std::size_t kx = element / p.channels % p.kernel_width;
    float* to = out + (element - first);
    for (std::size_t row = 0; row < p.out_height; row++) {
      const std::size_t y = row * p.stride_height + ky * p.dilation_height;
      for (std::size_t column = 0; column < p.out_width; column++, to += count) {
        const std::size_t x = column * p.stride_width + kx * p.dilation_width;
        const bool inside = y >= p.padding_top && y - p.padding_top < p.height && x >= p.padding_left &&
                            x - p.padding_left < p.width;
        if (!inside) {
          std::fill_n(to, run, 0.0f);
          continue;
        }
        const std::size_t pixel = (y - p.padding_top) * p.width + x - p.padding_left;
        std::copy_n(image + pixel * p.channels + channel, run, to);
      }
    }
    element += run;
  }
}

}  // namespace bergson

#include "sum-products.h"

#include <algorithm>
#include <vector>

#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

// Positions summed by themselves first, so that rounding does not grow with their number.
constexpr std::size_t kBlock = 128;

void add_block(const float* d, const float* x, const float* center, std::size_t positions, std::size_t channels,
               float* products, float* sums) {
  for (std::size_t s = 0; s < positions; s++, d += channels, x += channels) {
    for (std::size_t c = 0; c < channels; c++) {
      products[c] += d[c] * (x[c] - center[c]);
      sums[c] += d[c];
    }
  }
}

}  // namespace

void sum_products(const ChannelSums& in, float* out) {
  const std::size_t positions = in.positions, channels = in.channels;
  const std::size_t example = positions * channels;
  const std::vector<float> zero(in.center == nullptr ? channels : 0, 0.0f);
  const float* middle = in.center == nullptr ? zero.data() : in.center;
  const double work = static_cast<double>(in.examples * example);
  ThreadPool::instance().run(in.examples, work, [&](std::size_t n) {
    float* to = out + n * 2 * channels;
    std::fill_n(to, 2 * channels, 0.0f);
    thread_local std::vector<float> buffer;
    float* block = scratch(buffer, 2 * channels);
    for (std::size_t first = 0; first < positions; first += kBlock) {
      const std::size_t offset = n * example + first * channels;
      std::fill_n(block, 2 * channels, 0.0f);
      add_block(in.output_gradients + offset, in.values + offset, middle, std::min(kBlock, positions - first), channels,
                block, block + channels);
      for (std::size_t i = 0; i < 2 * channels; i++) to[i] += block[i];
    }
  });
}

std::string wrong_channels(const Input& gradients, const Input& values, const Input& center) {
  for (const std::string& text : {rank_below(gradients, 2), rank_below(values, 2)}) {
    if (!text.empty()) return text;
  }
  if (gradients.examples() != values.examples()) return differ(gradients, values, "examples");
  if (gradients.positions() != values.positions()) return differ(gradients, values, "positions");
  if (gradients.width() != values.width()) return differ(gradients, values, "channels");
  if (center.present() && (center.rank() != 1 || center[0] != values.width())) return differ(center, values, "channels");
  return "";
}

ChannelSums channel_sums_of(const Input& gradients, const Input& values, const Input& center) {
  return {gradients.examples(), gradients.positions(), gradients.width(), gradients.data(), values.data(), center.data()};
}

}  // namespace bergson

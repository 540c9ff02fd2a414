// BergsonDepthwise: images [N, H, W, C], output_gradients [N, H', W', C m], attribute `window` as in projection-inputs.h
// -> [N, C m, kh kw], each example's gradient of a depthwise convolution's kernel.
#include <algorithm>

#include "cuda-project.h"
#include "instruction-sets.h"
#include "operations.h"
#include "projection-inputs.h"
#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonDepthwise";

// Pixels [count, channels], each channel `times` times over.
const float* repeated(const float* pixels, std::size_t count, std::size_t channels, std::size_t times) {
  if (times == 1) return pixels;
  thread_local std::vector<float> buffer;
  float* to = scratch(buffer, count * channels * times);
  for (std::size_t i = 0; i < count * channels; i++) std::fill_n(to + i * times, times, pixels[i]);
  return to;
}

// Adds to sums [kh kw, outputs] what an example's output gradients at all positions contribute.
void add_positions(const Patches& p, const float* image, const float* gradients, std::size_t outputs,
                   const InstructionSet& set, float* sums) {
  for (std::size_t row = 0; row < p.out_height; row++) {
    for (std::size_t ky = 0; ky < p.kernel_height; ky++) {
      const std::size_t y = row * p.stride_height + ky * p.dilation_height;
      if (y < p.padding_top || y - p.padding_top >= p.height) continue;
      const float* line = image + (y - p.padding_top) * p.width * p.channels;
      const float* pixels = repeated(line, p.width, p.channels, outputs / p.channels);
      for (std::size_t kx = 0; kx < p.kernel_width; kx++) {
        // Columns whose pixel lies inside the image.
        const std::size_t offset = kx * p.dilation_width;
        const std::size_t before = p.padding_left > offset ? p.padding_left - offset : 0;
        const std::size_t first = (before + p.stride_width - 1) / p.stride_width;
        const std::size_t reach = p.width + p.padding_left;
        const std::size_t end =
            reach > offset ? std::min(p.out_width, (reach - offset - 1) / p.stride_width + 1) : 0;
        if (first >= end) continue;
        const float* d = gradients + (row * p.out_width + first) * outputs;
        const float* x = pixels + (first * p.stride_width + offset - p.padding_left) * outputs;
        set.add_products({end - first, outputs, d, outputs, x, p.stride_width * outputs},
                         sums + (ky * p.kernel_width + kx) * outputs);
      }
    }
  }
}

void differentiate(const Patches& patches, const Input& images, const Input& gradients, float* out) {
  const std::size_t outputs = gradients.width();
  const std::size_t taps = patches.kernel_height * patches.kernel_width;
  const InstructionSet& set = instruction_set();
  const double work = static_cast<double>(gradients.examples() * patches.positions() * outputs * taps);
  ThreadPool::instance().run(gradients.examples(), work, [&](std::size_t n) {
    thread_local std::vector<float> buffer;
    float* sums = scratch(buffer, taps * outputs);
    std::fill_n(sums, taps * outputs, 0.0f);
    add_positions(patches, images.data() + n * patches.image(), gradients.data() + n * patches.positions() * outputs,
                  outputs, set, sums);
    float* to = out + n * taps * outputs;
    for (std::size_t i = 0; i < taps; i++) {
      for (std::size_t o = 0; o < outputs; o++) to[o * taps + i] = sums[i * outputs + o];
    }
  });
}

std::string wrong(const Input& images, const Input& gradients, const ProjectionAttributes& attributes) {
  const std::string why = wrong_images(images, gradients, attributes);
  if (!why.empty()) return why;
  if (images[3] == 0 || gradients[3] % images[3] != 0) {
    return gradients.text() + " has no multiple of the channels of " + images.text();
  }
  return "";
}

template <Place kPlace>
void compute(void* kernel, TF_OpKernelContext* context) {
  const auto& attributes = *static_cast<const ProjectionAttributes*>(kernel);
  Input images("image"), gradients("output_gradients");
  if (!read_inputs(context, {&images, &gradients})) return;
  const std::string why = wrong(images, gradients, attributes);
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  const Patches patches = patches_of(images, gradients, attributes);
  compute_output(context, kName, kPlace, {images[0], gradients[3], patches.kernel_height * patches.kernel_width},
                 [&](float* out) { differentiate(patches, images, gradients, out); },
                 [&](CudaCall& call, float* out) {
                   depthwise_on_cuda(call, patches, images[0], gradients[3], images.data(), gradients.data(), out);
                 });
}

}  // namespace

Operation depthwise_operation() {
  return {kName,
          {"image: float", "output_gradients: float"},
          ProjectionAttributes::specs(true),
          {"gradients: float"},
          create_projection<kName, true>,
          compute<Place::kProcessor>,
          compute<Place::kGpu>,
          destroy_projection};
}

}  // namespace bergson

#include "cuda-project.h"

#include <algorithm>
#include <cmath>

#include "../cuda/arguments.h"

namespace bergson {
namespace {

// Sums are divided until there are so many blocks, as far as each still adds up so many products. It follows from the
// shapes alone, because it decides the order of the sums.
constexpr std::size_t kBlocksWanted = 1024;
constexpr std::size_t kPartAtLeast = 128;
// Floats of half-projected gradients at one time.
constexpr std::size_t kHalfway = std::size_t{1} << 22;

std::size_t divide(std::size_t size, std::size_t by) { return (size + by - 1) / by; }

struct Parts {
  std::size_t count, size;
};

Parts divide_sum(std::size_t length, std::size_t blocks, std::size_t at_least, std::size_t multiple_of) {
  const std::size_t wanted = std::min(divide(kBlocksWanted, std::max<std::size_t>(1, blocks)), length / at_least);
  const std::size_t part = divide(divide(length, std::max<std::size_t>(1, wanted)), multiple_of) * multiple_of;
  return {std::max<std::size_t>(1, divide(length, std::max<std::size_t>(1, part))), part};
}

// Launches `kernel`, whose result is a sum of parts, so that out is multiplier times that. launch(parts) writes them.
template <class Launch>
void sum_parts(CudaCall& call, std::size_t parts, std::size_t size, float multiplier, float* out, const Launch& launch) {
  if (parts == 1) {
    launch(out, multiplier);
    return;
  }
  const CudaCall::Memory memory(call, parts * size);
  launch(memory.data(), 1.0f);
  const cuda::SumParts arguments{memory.data(), out, static_cast<long long>(size), as_int(parts), multiplier};
  call.launch("sum_parts", divide(size, cuda::kThreads), arguments);
}

struct Shape {
  std::size_t batches, rows, columns, inner;
};

// out [batches, rows, columns] = multiplier times the product that the kernel takes of its arguments.
template <class Arguments>
void multiply(CudaCall& call, const std::string& kernel, const Shape& shape, Arguments arguments, float multiplier,
              float* out) {
  const std::size_t size = shape.batches * shape.rows * shape.columns;
  if (size == 0) return;
  const std::size_t width = shape.columns <= cuda::kNarrow ? cuda::kNarrow : cuda::kWide;
  const std::size_t tiles = shape.batches * divide(shape.rows, cuda::kTileRows) * divide(shape.columns, width);
  const Parts parts = divide_sum(shape.inner, tiles, kPartAtLeast, cuda::kDepth);
  sum_parts(call, parts.count, size, multiplier, out, [&](float* to, float by) {
    arguments.product = {as_int(shape.batches), as_int(shape.rows), as_int(shape.columns), as_int(shape.inner),
                         as_int(parts.count),   as_int(parts.size), by,                    to};
    call.launch(kernel + "_" + std::to_string(width), tiles * parts.count, arguments);
  });
}

cuda::Window window_of(const Patches& p) {
  return {as_int(p.height),          as_int(p.width),          as_int(p.channels),    as_int(p.kernel_width),
          as_int(p.stride_height),   as_int(p.stride_width),   as_int(p.dilation_height),
          as_int(p.dilation_width),  as_int(p.padding_top),    as_int(p.padding_left),
          as_int(p.out_width),       as_int(p.positions())};
}

// The factors with every array where the device has it.
Factors on_device(CudaCall& call, const Factors& f) {
  Factors copy = f;
  const std::size_t rows = f.examples * f.positions;
  const std::size_t size = f.patches == nullptr ? rows * f.inputs : f.examples * f.patches->image();
  copy.activations = call.input(f.activations, size);
  copy.right = call.input(f.right, f.inputs * f.q);
  copy.bias_row = call.input(f.bias_row, f.q);
  copy.output_gradients = call.input(f.output_gradients, rows * f.outputs);
  copy.left = call.input(f.left, f.outputs * f.p);
  return copy;
}

// leftᵀ times each of `halves` [outputs, q], into out [examples, p, q].
void project_left(CudaCall& call, const Factors& f, std::size_t examples, const float* halves, float* out) {
  multiply(call, "contract", {examples, f.p, f.q, f.outputs}, cuda::Contract{{}, f.left, halves, nullptr, 0}, f.multiplier, out);
}

// sum_s left_ns (right_ns + bias row)ᵀ for left [examples, positions, rows], into out [examples, rows, q].
void contract(CudaCall& call, const Factors& f, const float* left, std::size_t rows, const float* right, float multiplier,
              float* out) {
  const cuda::Contract arguments{{}, left, right, f.bias_row, static_cast<long long>(f.positions * rows)};
  multiply(call, "contract", {f.examples, rows, f.q, f.positions}, arguments, multiplier, out);
}

void project_inputs(CudaCall& call, const Factors& f, float* out) {
  const Shape shape{1, f.examples * f.positions, f.q, f.inputs};
  if (f.patches == nullptr) {
    multiply(call, "project_rows", shape, cuda::ProjectRows{{}, f.activations, f.right}, 1, out);
    return;
  }
  const cuda::ProjectPatches arguments{{}, f.activations, f.right, window_of(*f.patches)};
  multiply(call, "project_patches", shape, arguments, 1, out);
}

}  // namespace

void project_factors_on_cuda(CudaCall& call, const Factors& factors, float* out) {
  const Factors f = on_device(call, factors);
  const std::size_t rows = f.examples * f.positions;
  const CudaCall::Memory projected(call, f.right == nullptr ? 0 : rows * f.q);
  if (f.right != nullptr) project_inputs(call, f, projected.data());
  const float* right = f.right == nullptr ? f.activations : projected.data();
  if (f.left == nullptr) {
    contract(call, f, f.output_gradients, f.outputs, right, f.multiplier, out);
    return;
  }
  // D is projected before the sum over positions or that sum after it, whichever takes fewer multiplications.
  if (f.positions * f.p * (f.outputs + f.q) < f.outputs * f.q * (f.positions + f.p)) {
    const CudaCall::Memory left(call, rows * f.p);
    multiply(call, "project_rows", {1, rows, f.p, f.outputs}, cuda::ProjectRows{{}, f.output_gradients, f.left}, 1, left.data());
    contract(call, f, left.data(), f.p, right, f.multiplier, out);
    return;
  }
  const CudaCall::Memory halves(call, f.examples * f.outputs * f.q);
  contract(call, f, f.output_gradients, f.outputs, right, 1, halves.data());
  project_left(call, f, f.examples, halves.data(), out);
}

void project_normalized_on_cuda(CudaCall& call, const NormalizedFactors& normalized, float* out) {
  const Factors f = on_device(call, normalized.factors);
  if (f.positions == 0) {  // the kernel takes some; a product over nothing is zero
    multiply(call, "contract", {f.examples, f.p, f.q, 0}, cuda::Contract{{}, out, out, nullptr, 0}, 1, out);
    return;
  }
  const float* moments = call.input(normalized.moments, f.inputs * f.outputs);
  const float* bias_moments = call.input(normalized.bias_moments, f.outputs);
  const float* constants = call.input(normalized.constants, 2);
  const std::size_t half = f.outputs * f.q;
  const std::size_t group = std::max<std::size_t>(1, std::min(f.examples, kHalfway / std::max<std::size_t>(1, half)));
  const CudaCall::Memory halves(call, f.left == nullptr ? 0 : group * half);
  const std::size_t example = f.patches == nullptr ? f.positions * f.inputs : f.patches->image();
  for (std::size_t first = 0; first < f.examples; first += group) {
    const std::size_t count = std::min(group, f.examples - first);
    cuda::ProjectNormalized arguments{{}, f.activations + first * example, f.output_gradients + first * f.positions * f.outputs,
                                f.right, f.bias_row, moments, bias_moments, constants, as_int(f.positions),
                                f.patches != nullptr, f.patches == nullptr ? cuda::Window{} : window_of(*f.patches)};
    float* to = out + first * f.p * f.q;
    const bool whole = f.left == nullptr;
    multiply(call, "project_normalized", {count, f.outputs, f.q, f.inputs}, arguments, whole ? f.multiplier : 1,
             whole ? to : halves.data());
    if (!whole) project_left(call, f, count, halves.data(), to);
  }
}

void sum_products_on_cuda(CudaCall& call, const ChannelSums& sums, float* out) {
  constexpr std::size_t kChannels = 32;
  const std::size_t size = sums.examples * sums.positions * sums.channels;
  const float* output_gradients = call.input(sums.output_gradients, size);
  const float* values = call.input(sums.values, size);
  const float* center = call.input(sums.center, sums.channels);
  const std::size_t blocks = sums.examples * divide(sums.channels, kChannels);
  const Parts parts = divide_sum(sums.positions, blocks, kPartAtLeast, 1);
  sum_parts(call, parts.count, sums.examples * 2 * sums.channels, 1, out, [&](float* to, float) {
    const cuda::SumProducts arguments{output_gradients, values, center, to, as_int(sums.examples), as_int(sums.positions),
                                as_int(sums.channels), as_int(parts.count), as_int(parts.size)};
    call.launch("sum_products", blocks * parts.count, arguments);
  });
}

void depthwise_on_cuda(CudaCall& call, const Patches& patches, std::size_t examples, std::size_t outputs,
                       const float* images, const float* output_gradients, float* out) {
  constexpr std::size_t kOutputs = 32;
  const float* image = call.input(images, examples * patches.image());
  const float* gradients = call.input(output_gradients, examples * patches.positions() * outputs);
  const std::size_t pixels = patches.kernel_height * patches.kernel_width;
  const std::size_t blocks = examples * divide(outputs, kOutputs) * pixels;
  const Parts parts = divide_sum(patches.positions(), blocks, kPartAtLeast, 1);
  sum_parts(call, parts.count, examples * outputs * pixels, 1, out, [&](float* to, float) {
    const cuda::Depthwise arguments{image, gradients, to, as_int(examples), as_int(outputs), as_int(pixels),
                                    as_int(parts.count), as_int(parts.size), window_of(patches)};
    call.launch("depthwise", blocks * parts.count, arguments);
  });
}

void draw_columns_on_cuda(CudaCall& call, const RandomColumns& random, float* out) {
  const std::size_t size = random.count * random.rows;
  const float* columns = call.input(reinterpret_cast<const float*>(random.columns), random.count);  // as wide as an int
  const cuda::DrawColumns arguments{reinterpret_cast<const int*>(columns), out, static_cast<long long>(size),
                                    as_int(random.rows), random.normal, random.seed, random.stream0, random.stream1,
                                    random.side, 1 / std::sqrt(static_cast<double>(random.rows))};
  call.launch("draw_columns", divide(size, cuda::kThreads), arguments);
}

}  // namespace bergson

#include "project-normalized.h"

#include <algorithm>

#include "instruction-sets.h"
#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

// A tile of G: so many inputs by so many outputs. The scales of a line of tiles stay in the second-level cache.
constexpr std::size_t kInputs = 96;
constexpr std::size_t kOutputs = 64;
// Parts that a call is divided into, as far as it has so many examples and inputs.
constexpr std::size_t kTasksWanted = 8;

// How a call is divided. It follows from the shapes alone, because it decides the order of the sums.
struct Plan {
  std::size_t chunk;   // inputs of one task, a multiple of kInputs
  std::size_t chunks;
  std::size_t group;   // examples of one task
  std::size_t groups;
  double work;  // multiplications

  explicit Plan(const Factors& f) {
    const std::size_t blocks = std::max<std::size_t>(1, (f.inputs + kInputs - 1) / kInputs);
    chunk = (blocks + kTasksWanted - 1) / kTasksWanted * kInputs;
    chunks = std::max<std::size_t>(1, (f.inputs + chunk - 1) / chunk);
    group = (f.examples + (kTasksWanted + chunks - 1) / chunks - 1) / ((kTasksWanted + chunks - 1) / chunks);
    groups = (f.examples + group - 1) / group;
    const double elements = static_cast<double>(f.inputs * f.outputs);
    work = static_cast<double>(f.examples) * elements * static_cast<double>(f.positions + f.p);
  }
};

// Gradients of some examples by some inputs, as far as one thread works on them.
class Worker {
 public:
  Worker(const NormalizedFactors& normalized, const InstructionSet& set)
      : normalized_(normalized), f_(normalized.factors), set_(set) {}

  // Adds what inputs `first` to `end` contribute to examples `n` to `last`: out [examples, p, q].
  void add_inputs(std::size_t n, std::size_t last, std::size_t first, std::size_t end, float* out) {
    for (std::size_t input = first; input < end; input += kInputs) {
      const std::size_t count = std::min(kInputs, end - input);
      const std::size_t outputs = f_.outputs;
      thread_local std::vector<float> scales, sums;
      float* scale = scratch(scales, count * outputs);
      scale_of(normalized_.moments + input * outputs, count * outputs, scale);
      float* half = scratch(sums, count * f_.p);  // G L for these inputs, [count, p]
      for (std::size_t example = n; example < last; example++) {
        if (f_.positions == 1) sum_outer_product(example, input, count, scale, half);
        else sum_tiles(example, input, count, scale, half);
        add_right(half, input, count, out + example * f_.p * f_.q);
      }
    }
  }

  // Adds what the bias contributes to examples `n` to `last`.
  void add_bias(std::size_t n, std::size_t last, float* out) {
    thread_local std::vector<float> scales, gradients, sums;
    float* scale = scratch(scales, f_.outputs);
    scale_of(normalized_.bias_moments, f_.outputs, scale);
    for (std::size_t example = n; example < last; example++) {
      float* gradient = scratch(gradients, f_.outputs);
      const float* d = f_.output_gradients + example * f_.positions * f_.outputs;
      std::fill_n(gradient, f_.outputs, 0.0f);
      for (std::size_t s = 0; s < f_.positions; s++) {
        for (std::size_t o = 0; o < f_.outputs; o++) gradient[o] += d[s * f_.outputs + o];
      }
      for (std::size_t o = 0; o < f_.outputs; o++) gradient[o] *= scale[o];
      const float* half = gradient;
      if (f_.left != nullptr) {
        float* sum = scratch(sums, f_.p);
        set_.multiply({false, false, 1, f_.p, f_.outputs, gradient, f_.outputs, f_.left, f_.p, sum, f_.p});
        half = sum;
      }
      float* to = out + example * f_.p * f_.q;
      set_.multiply({true, true, f_.p, f_.q, 1, half, f_.p, f_.bias_row, f_.q, to, f_.q});
    }
  }

 private:
  void scale_of(const float* moments, std::size_t count, float* scale) const {
    set_.inverse_roots(moments, count, normalized_.constants[0], normalized_.constants[1], scale);
  }

  // With one position G is d aᵀ: scale times d L, each row then times its input.
  void sum_outer_product(std::size_t example, std::size_t input, std::size_t count, const float* scale, float* half) {
    thread_local std::vector<float> weighted;
    const std::size_t outputs = f_.outputs;
    const float* d = f_.output_gradients + example * outputs;
    thread_local std::vector<float> packed;
    const float* a = activations(example, input, count, packed);
    if (f_.left == nullptr) {
      for (std::size_t i = 0; i < count; i++) {
        for (std::size_t o = 0; o < outputs; o++) half[i * outputs + o] = a[i] * d[o] * scale[i * outputs + o];
      }
      return;
    }
    float* left = scratch(weighted, outputs * f_.p);
    for (std::size_t o = 0; o < outputs; o++) {
      for (std::size_t j = 0; j < f_.p; j++) left[o * f_.p + j] = d[o] * f_.left[o * f_.p + j];
    }
    set_.multiply({false, false, count, f_.p, outputs, scale, outputs, left, f_.p, half, f_.p});
    for (std::size_t i = 0; i < count; i++) {
      for (std::size_t j = 0; j < f_.p; j++) half[i * f_.p + j] *= a[i];
    }
  }

  void sum_tiles(std::size_t example, std::size_t input, std::size_t count, const float* scale, float* half) {
    thread_local std::vector<float> packed_a, packed_d, tiles;
    const float* a = activations(example, input, count, packed_a);
    float* d = scratch(packed_d, f_.positions * kOutputs);
    for (std::size_t output = 0; output < f_.outputs; output += kOutputs) {
      const std::size_t columns = std::min(kOutputs, f_.outputs - output);
      const float* from = f_.output_gradients + example * f_.positions * f_.outputs + output;
      for (std::size_t s = 0; s < f_.positions; s++) std::copy_n(from + s * f_.outputs, columns, d + s * kOutputs);
      // Without a left matrix the tile has its place in the sum.
      float* tile = f_.left == nullptr ? half + output : scratch(tiles, count * kOutputs);
      const std::size_t stride = f_.left == nullptr ? f_.outputs : kOutputs;
      set_.multiply({true, false, count, columns, f_.positions, a, count, d, kOutputs, tile, stride});
      for (std::size_t i = 0; i < count; i++) {
        const float* line = scale + i * f_.outputs + output;
        for (std::size_t o = 0; o < columns; o++) tile[i * stride + o] *= line[o];
      }
      if (f_.left == nullptr) continue;
      const float* left = f_.left + output * f_.p;
      set_.multiply({false, output > 0, count, f_.p, columns, tile, stride, left, f_.p, half, f_.p});
    }
  }

  // Columns `input` to `input + count` of an example's activations, [positions, count].
  const float* activations(std::size_t example, std::size_t input, std::size_t count, std::vector<float>& buffer) {
    if (f_.patches != nullptr) {
      float* packed = scratch(buffer, f_.positions * count);
      copy_patches(*f_.patches, f_.activations + example * f_.patches->image(), input, count, packed);
      return packed;
    }
    const float* from = f_.activations + example * f_.positions * f_.inputs + input;
    if (f_.positions == 1) return from;
    float* packed = scratch(buffer, f_.positions * count);
    for (std::size_t s = 0; s < f_.positions; s++) std::copy_n(from + s * f_.inputs, count, packed + s * count);
    return packed;
  }

  // Adds half [count, p], transposed, times the right matrix's rows of these inputs.
  void add_right(const float* half, std::size_t input, std::size_t count, float* out) const {
    if (f_.right != nullptr) {
      const float* right = f_.right + input * f_.q;
      set_.multiply({true, true, f_.p, f_.q, count, half, f_.p, right, f_.q, out, f_.q});
      return;
    }
    for (std::size_t i = 0; i < count; i++) {
      for (std::size_t j = 0; j < f_.p; j++) out[j * f_.q + input + i] += half[i * f_.p + j];
    }
  }

  const NormalizedFactors& normalized_;
  const Factors& f_;
  const InstructionSet& set_;
};

}  // namespace

double normalized_work(const Factors& factors) { return is_nothing(factors) ? 0 : Plan(factors).work; }

void project_normalized(const NormalizedFactors& normalized, float* out) {
  const Factors& f = normalized.factors;
  const std::size_t size = f.examples * f.p * f.q;
  std::fill_n(out, size, 0.0f);
  if (is_nothing(f)) return;
  const Plan plan(f);
  const InstructionSet& set = instruction_set();
  thread_local std::vector<float> buffer;
  // The first chunk of inputs adds to the result itself, each other to sums of its own.
  float* partial = scratch(buffer, (plan.chunks - 1) * size);
  std::fill_n(partial, (plan.chunks - 1) * size, 0.0f);
  ThreadPool::instance().run(plan.chunks * plan.groups, plan.work, [&](std::size_t task) {
    const std::size_t chunk = task / plan.groups;
    const std::size_t first = chunk * plan.chunk;
    const std::size_t n = task % plan.groups * plan.group;
    const std::size_t last = std::min(f.examples, n + plan.group);
    float* to = chunk == 0 ? out : partial + (chunk - 1) * size;
    Worker worker(normalized, set);
    worker.add_inputs(n, last, first, std::min(f.inputs, first + plan.chunk), to);
    if (chunk == 0 && normalized.bias_moments != nullptr) worker.add_bias(n, last, to);
  });
  for (std::size_t chunk = 1; chunk < plan.chunks; chunk++) {
    const float* from = partial + (chunk - 1) * size;
    for (std::size_t i = 0; i < size; i++) out[i] += from[i];
  }
  for (std::size_t i = 0; i < size; i++) out[i] *= f.multiplier;
}

}  // namespace bergson

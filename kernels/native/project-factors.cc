#include "project-factors.h"

#include <algorithm>

#include "instruction-sets.h"
#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

// Positions projected at one time: their projections stay in the first-level cache until they are summed.
constexpr std::size_t kBlock = 64;
// Rows of one task where an example has few positions; examples are taken together up to that.
constexpr std::size_t kRowsTogether = 16;
// Where there are fewer examples than that, each is split into parts, of at least so many positions.
constexpr std::size_t kTasksWanted = 8;
constexpr std::size_t kPartAtLeast = 128;

// Columns of a projection in memory are a multiple of this: partial vectors are slow to add to.
constexpr std::size_t kLanes = 16;

// Columns of a matrix [rows, columns] filled up with zeros to a multiple of kLanes.
const float* widened(const float* matrix, std::size_t rows, std::size_t columns, std::size_t width,
                     std::vector<float>& buffer) {
  if (matrix == nullptr || columns == width) return matrix;
  float* wide = scratch(buffer, rows * width);
  for (std::size_t row = 0; row < rows; row++) {
    std::copy_n(matrix + row * columns, columns, wide + row * width);
    std::fill_n(wide + row * width + columns, width - columns, 0.0f);
  }
  return wide;
}

// Writes `count` copies of line [size] to out, each time as many as are there already.
void repeat(const float* line, std::size_t size, std::size_t count, float* out) {
  std::copy_n(line, std::min<std::size_t>(count, 1) * size, out);
  for (std::size_t done = 1; done < count; done *= 2) {
    std::copy_n(out, std::min(done, count - done) * size, out + done * size);
  }
}

// How a call is divided. It follows from the shapes alone, because it decides the order of the sums.
struct Plan {
  std::size_t block;     // positions projected at one time: of patches, whole lines
  std::size_t together;  // examples of one task
  std::size_t parts;     // parts of one example, summed up at the end
  std::size_t part;      // positions of a part
  // Whether D is projected before the sum over positions, rather than the sum after it.
  bool left_first;
  double work;  // multiplications

  explicit Plan(const Factors& f) : block(kBlock), together(1), parts(1), part(f.positions) {
    if (f.patches != nullptr) block = std::max<std::size_t>(1, kBlock / f.patches->out_width) * f.patches->out_width;
    if (f.positions <= block) {
      together = std::max<std::size_t>(1, kRowsTogether / std::max<std::size_t>(1, f.positions));
    } else if (f.examples < kTasksWanted) {
      const std::size_t wanted = (kTasksWanted + f.examples - 1) / std::max<std::size_t>(1, f.examples);
      parts = std::max<std::size_t>(1, std::min(wanted, f.positions / kPartAtLeast));
      part = (f.positions + parts - 1) / parts;
      part = (part + block - 1) / block * block;
    }
    const double s = static_cast<double>(part), o = static_cast<double>(f.outputs);
    const double p = static_cast<double>(f.p), q = static_cast<double>(f.q);
    const double before = s * p * (o + q);
    const double after = o * q * (s + p);
    left_first = f.left != nullptr && before < after;
    const double inputs = f.right == nullptr ? 0 : s * static_cast<double>(f.inputs) * q;
    const double rest = f.left == nullptr ? s * o * q : std::min(before, after);
    work = static_cast<double>(f.examples * parts) * (inputs + rest);
  }

  std::size_t tasks(const Factors& f) const { return (f.examples + together - 1) / together * parts; }
};

// Positions `first` to `end` of examples `n` to `n + count`, their activations projected: [rows, q]. Of several
// examples, all positions.
const float* projected_inputs(const Factors& f, const InstructionSet& set, std::size_t n, std::size_t count,
                              std::size_t first, std::size_t end) {
  const std::size_t rows = count * (end - first);
  const float* a = f.patches == nullptr ? f.activations + (n * f.positions + first) * f.inputs
                                        : f.activations + n * f.patches->image();
  if (f.right == nullptr && f.bias_row == nullptr) return a;
  thread_local std::vector<float> buffer;
  float* y = scratch(buffer, rows * f.q);
  if (f.right == nullptr) {
    for (std::size_t i = 0; i < rows; i++) {
      for (std::size_t j = 0; j < f.q; j++) y[i * f.q + j] = a[i * f.q + j] + f.bias_row[j];
    }
    return y;
  }
  if (f.bias_row == nullptr) std::fill_n(y, rows * f.q, 0.0f);
  else repeat(f.bias_row, f.q, rows, y);
  if (f.patches == nullptr) {
    set.multiply({false, true, rows, f.q, f.inputs, a, f.inputs, f.right, f.q, y, f.q});
    return y;
  }
  for (std::size_t i = 0; i < count; i++) {
    float* to = y + i * (end - first) * f.q;
    add_projected_patches(*f.patches, a + i * f.patches->image(), first, end, f.right, f.q, set, to);
  }
  return y;
}

// Rows from `row` of [examples * positions, outputs], projected: [rows, p].
const float* projected_outputs(const Factors& f, const InstructionSet& set, std::size_t row, std::size_t rows) {
  const float* d = f.output_gradients + row * f.outputs;
  thread_local std::vector<float> buffer;
  float* p = scratch(buffer, rows * f.p);
  set.multiply({false, false, rows, f.p, f.outputs, d, f.outputs, f.left, f.p, p, f.p});
  return p;
}

// Positions `first` to `end` of examples `n` to `n + count`, into out [count, p, columns], of which q may hold more. Of
// several examples, all positions.
void project(const Factors& f, const Plan& plan, const InstructionSet& set, std::size_t n, std::size_t count,
             std::size_t first, std::size_t end, std::size_t columns, float* out) {
  const bool sum_first = f.left != nullptr && !plan.left_first;
  const std::size_t m = plan.left_first ? f.p : f.outputs;
  thread_local std::vector<float> sums, buffer;
  for (std::size_t block = first; block < end; block += plan.block) {
    const std::size_t positions = std::min(plan.block, end - block);
    const std::size_t row = n * f.positions + block;
    // The processor does not see by itself that the next block's lines of D come after this one's.
    if (block + positions < end) {
      const float* next = f.output_gradients + (row + positions) * f.outputs;
      const std::size_t size = std::min(plan.block, end - block - positions) * f.outputs;
      for (std::size_t i = 0; i < size; i += 16) __builtin_prefetch(next + i);
    }
    const float* y = projected_inputs(f, set, n, count, block, block + positions);
    const float* d = plan.left_first ? projected_outputs(f, set, row, count * positions)
                                     : f.output_gradients + row * f.outputs;
    for (std::size_t i = 0; i < count; i++) {
      float* out_i = out + i * f.p * columns;
      const float* d_i = d + i * positions * m;
      const float* y_i = y + i * positions * f.q;
      if (!sum_first) {
        set.multiply({true, block > first, m, columns, positions, d_i, m, y_i, f.q, out_i, columns});
        continue;
      }
      // Yᵀ D, not Dᵀ Y: there are more outputs than columns, and they fill whole vectors.
      float* sum = scratch(sums, columns * m);
      set.multiply({true, block > first, columns, m, positions, y_i, f.q, d_i, m, sum, m});
      if (block + positions < end) continue;
      float* projected = scratch(buffer, columns * f.p);
      set.multiply({false, false, columns, f.p, m, sum, m, f.left, f.p, projected, f.p});
      for (std::size_t row = 0; row < f.p; row++) {
        for (std::size_t column = 0; column < columns; column++) {
          out_i[row * columns + column] = projected[column * f.p + row];
        }
      }
    }
  }
}

}  // namespace

bool is_nothing(const Factors& f) { return f.positions == 0 || f.examples * f.p * f.q == 0; }

double projection_work(const Factors& f) { return is_nothing(f) ? 0 : Plan(f).work; }

void project_factors(const Factors& f, float* out) {
  const std::size_t size = f.p * f.q;
  if (f.positions == 0) {
    std::fill_n(out, f.examples * size, 0.0f);
    return;
  }
  Factors wide = f;
  thread_local std::vector<float> wide_right, wide_bias;
  if (f.right != nullptr) wide.q = (f.q + kLanes - 1) / kLanes * kLanes;
  wide.right = widened(f.right, f.inputs, f.q, wide.q, wide_right);
  wide.bias_row = widened(f.bias_row, 1, f.q, wide.q, wide_bias);
  const Plan plan(wide);
  const InstructionSet& set = instruction_set();
  thread_local std::vector<float> buffer;
  float* partial = plan.parts == 1 ? out : scratch(buffer, f.examples * plan.parts * size);
  ThreadPool::instance().run(plan.tasks(f), plan.work, [&](std::size_t task) {
    const std::size_t n = task / plan.parts * plan.together;
    const std::size_t count = std::min(plan.together, f.examples - n);
    const std::size_t first = std::min(f.positions, task % plan.parts * plan.part);
    const std::size_t end = std::min(f.positions, first + plan.part);
    float* to = partial + (plan.parts == 1 ? n : task) * size;
    if (first == end) std::fill_n(to, size, 0.0f);
    project(wide, plan, set, n, count, first, end, f.q, to);
  });
  for (std::size_t n = 0; n < f.examples && plan.parts > 1; n++) {
    const float* parts = partial + n * plan.parts * size;
    std::copy_n(parts, size, out + n * size);
    for (std::size_t part = 1; part < plan.parts; part++) {
      for (std::size_t i = 0; i < size; i++) out[n * size + i] += parts[part * size + i];
    }
  }
  for (std::size_t i = 0; i < f.examples * size; i++) out[i] *= f.multiplier;
}

}  // namespace bergson

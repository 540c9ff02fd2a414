#include "project-factors.h"

#include <algorithm>
#include <atomic>

#include "thread-pool.h"
#include "tiles.h"

namespace bergson {
namespace {

// Positions projected at one time: their projections stay in the first-level cache until they are summed.
constexpr std::size_t kBlock = 64;
// Rows of one task where an example has few positions; examples are taken together up to that.
constexpr std::size_t kRowsTogether = 16;
// Where there are fewer examples than that, each is split into parts, of at least so many positions.
constexpr std::size_t kTasksWanted = 8;
constexpr std::size_t kPartAtLeast = 128;
// Multiplications that take about as long as waking a thread does.
constexpr double kWorkPerThread = 4e5;

const InstructionSet* const kKnown[] = {
#if defined(__x86_64__)
    &kAvx512,
    &kAvx2,
#endif
    &kBaseline,
};

const InstructionSet* fastest() {
  for (const InstructionSet* set : kKnown) {
    if (set->supported()) return set;
  }
  return &kBaseline;
}

std::atomic<const InstructionSet*> chosen{fastest()};
std::atomic<std::size_t> most_threads{1};

// How a call is divided. It follows from the shapes alone, because it decides the order of the sums.
struct Plan {
  std::size_t together;  // examples of one task
  std::size_t parts;     // parts of one example, summed up at the end
  std::size_t part;      // positions of a part
  // Whether D is projected before the sum over positions, rather than the sum after it.
  bool left_first;
  double work;  // multiplications

  explicit Plan(const Factors& f) : together(1), parts(1), part(f.positions) {
    if (f.positions <= kBlock) {
      together = std::max<std::size_t>(1, kRowsTogether / std::max<std::size_t>(1, f.positions));
    } else if (f.examples < kTasksWanted) {
      const std::size_t wanted = (kTasksWanted + f.examples - 1) / std::max<std::size_t>(1, f.examples);
      parts = std::max<std::size_t>(1, std::min(wanted, f.positions / kPartAtLeast));
      part = (f.positions + parts - 1) / parts;
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

float* scratch(std::vector<float>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

// Rows from `row` of [examples * positions, inputs], projected: [rows, q].
const float* projected_inputs(const Factors& f, const InstructionSet& set, std::size_t row, std::size_t rows) {
  const float* a = f.activations + row * f.inputs;
  if (f.right == nullptr && f.bias_row == nullptr) return a;
  thread_local std::vector<float> buffer;
  float* y = scratch(buffer, rows * f.q);
  if (f.right == nullptr) {
    for (std::size_t i = 0; i < rows; i++) {
      for (std::size_t j = 0; j < f.q; j++) y[i * f.q + j] = a[i * f.q + j] + f.bias_row[j];
    }
    return y;
  }
  if (f.bias_row != nullptr) {
    for (std::size_t i = 0; i < rows; i++) std::copy_n(f.bias_row, f.q, y + i * f.q);
  }
  set.multiply({false, f.bias_row != nullptr, rows, f.q, f.inputs, a, f.inputs, f.right, f.q, y, f.q});
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

// Positions `first` to `end` of examples `n` to `n + count`, into out [count, p, q]. Of several examples, all positions.
void project(const Factors& f, const Plan& plan, const InstructionSet& set, std::size_t n, std::size_t count,
             std::size_t first, std::size_t end, float* out) {
  const bool sum_first = f.left != nullptr && !plan.left_first;
  const std::size_t m = plan.left_first ? f.p : f.outputs;
  thread_local std::vector<float> buffer;
  for (std::size_t block = first; block < end; block += kBlock) {
    const std::size_t positions = std::min(kBlock, end - block);
    const std::size_t row = n * f.positions + block;
    const float* y = projected_inputs(f, set, row, count * positions);
    const float* d = plan.left_first ? projected_outputs(f, set, row, count * positions)
                                     : f.output_gradients + row * f.outputs;
    for (std::size_t i = 0; i < count; i++) {
      float* sum = sum_first ? scratch(buffer, m * f.q) : out + i * f.p * f.q;
      const float* d_i = d + i * positions * m;
      const float* y_i = y + i * positions * f.q;
      set.multiply({true, block > first, m, f.q, positions, d_i, m, y_i, f.q, sum, f.q});
      if (!sum_first || block + positions < end) continue;
      set.multiply({true, false, f.p, f.q, m, f.left, f.p, sum, f.q, out + i * f.p * f.q, f.q});
    }
  }
}

}  // namespace

void project_factors(const Factors& f, float* out) {
  const std::size_t size = f.p * f.q;
  if (f.positions == 0) {
    std::fill_n(out, f.examples * size, 0.0f);
    return;
  }
  const Plan plan(f);
  const InstructionSet& set = *chosen.load();
  thread_local std::vector<float> buffer;
  float* partial = plan.parts == 1 ? out : scratch(buffer, f.examples * plan.parts * size);
  const double useful = std::min(plan.work / kWorkPerThread, static_cast<double>(most_threads.load()));
  ThreadPool::instance().run(plan.tasks(f), static_cast<std::size_t>(useful), [&](std::size_t task) {
    const std::size_t n = task / plan.parts * plan.together;
    const std::size_t count = std::min(plan.together, f.examples - n);
    const std::size_t first = std::min(f.positions, task % plan.parts * plan.part);
    const std::size_t end = std::min(f.positions, first + plan.part);
    float* to = partial + (plan.parts == 1 ? n : task) * size;
    if (first == end) std::fill_n(to, size, 0.0f);
    project(f, plan, set, n, count, first, end, to);
  });
  if (plan.parts == 1) return;
  for (std::size_t n = 0; n < f.examples; n++) {
    const float* parts = partial + n * plan.parts * size;
    std::copy_n(parts, size, out + n * size);
    for (std::size_t part = 1; part < plan.parts; part++) {
      for (std::size_t i = 0; i < size; i++) out[n * size + i] += parts[part * size + i];
    }
  }
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const InstructionSet* set : kKnown) {
    if (set->supported()) names.push_back(set->name);
  }
  return names;
}

bool use_instruction_set(const std::string& name) {
  for (const InstructionSet* set : kKnown) {
    if (set->supported() && name == set->name) {
      chosen = set;
      return true;
    }
  }
  return false;
}

void set_threads(std::size_t threads) { most_threads = std::max<std::size_t>(1, threads); }

}  // namespace bergson

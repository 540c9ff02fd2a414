// BergsonLinear: x [..., K], weight [K, O], or [O, K] where the attribute `transposed` is set, bias [O] ([0, 0]: zero) ->
// [..., O], x times the weight plus the bias. On the processor alone.
#include <algorithm>

#include "instruction-sets.h"
#include "operations.h"
#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonLinear";
// A task's columns, of which it copies the weight: few enough that the copy stays in the second-level cache.
constexpr std::size_t kColumns = 64;
// A task's rows: enough for the copy to cost little beside them.
constexpr std::size_t kRows = 512;
// Rows that are multiplied by all of those columns before the next, so that they stay in a cache, too.
constexpr std::size_t kBlock = 48;
// Rows of a transposed weight's copy that are written at a time.
constexpr std::size_t kPiece = 64;

struct Linear {
  std::size_t rows, inputs, outputs;
  bool transposed;
  const float* x;
  const float* weight;
  const float* bias;
};

// Columns [inputs, count] of the weight from `first` on, as rows of `width` floats.
void copy_columns(const Linear& in, std::size_t first, std::size_t count, std::size_t width, float* to) {
  if (!in.transposed) {
    for (std::size_t k = 0; k < in.inputs; k++) std::copy_n(in.weight + k * in.outputs + first, count, to + k * width);
    return;
  }
  for (std::size_t begin = 0; begin < in.inputs; begin += kPiece) {
    const std::size_t end = std::min(in.inputs, begin + kPiece);
    for (std::size_t column = 0; column < count; column++) {
      const float* from = in.weight + (first + column) * in.inputs;
      for (std::size_t k = begin; k < end; k++) to[k * width + column] = from[k];
    }
  }
}

void multiply_part(const Linear& in, std::size_t first_row, std::size_t first_column, float* out) {
  const InstructionSet& set = instruction_set();
  const std::size_t width = set.columns;
  const std::size_t end_row = std::min(in.rows, first_row + kRows);
  const std::size_t end_column = std::min(in.outputs, first_column + kColumns);
  thread_local std::vector<float> buffer;
  float* copy = scratch(buffer, in.inputs * kColumns);
  for (std::size_t column = first_column; column < end_column; column += width) {
    float* strip = copy + (column - first_column) * in.inputs;
    copy_columns(in, column, std::min(width, end_column - column), width, strip);
  }
  for (std::size_t row = first_row; row < end_row; row += kBlock) {
    const std::size_t rows = std::min(kBlock, end_row - row);
    float* to = out + row * in.outputs;
    for (std::size_t i = 0; in.bias != nullptr && i < rows; i++) {
      std::copy(in.bias + first_column, in.bias + end_column, to + i * in.outputs + first_column);
    }
    for (std::size_t column = first_column; column < end_column; column += width) {
      set.multiply({false, in.bias != nullptr, rows, std::min(width, end_column - column), in.inputs,
                    in.x + row * in.inputs, in.inputs, copy + (column - first_column) * in.inputs, width, to + column,
                    in.outputs});
    }
  }
}

void multiply(const Linear& in, float* out) {
  const std::size_t parts = (in.rows + kRows - 1) / kRows;
  const std::size_t strips = (in.outputs + kColumns - 1) / kColumns;
  const double work = static_cast<double>(in.rows * in.outputs) * static_cast<double>(in.inputs);
  ThreadPool::instance().run(parts * strips, work,
                             [&](std::size_t i) { multiply_part(in, i % parts * kRows, i / parts * kColumns, out); });
}

void* create(TF_OpKernelConstruction* construction) {
  Status status;
  auto* transposed = new unsigned char{};
  tf.TF_OpKernelConstruction_GetAttrBool(construction, "transposed", transposed, status);
  if (status.ok()) return transposed;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete transposed;
  return nullptr;
}

void destroy(void* kernel) { delete static_cast<unsigned char*>(kernel); }

std::string wrong(const Input& x, const Input& weight, const Input& bias, bool transposed) {
  std::string why = rank_below(x, 1);
  if (why.empty()) why = wrong_rank(weight, 2);
  if (why.empty() && weight[transposed ? 1 : 0] != x.width()) why = differ(x, weight, "inputs");
  if (!why.empty() || !bias.present()) return why;
  if (bias.rank() != 1) return wrong_rank(bias, 1);
  return bias[0] == weight[transposed ? 0 : 1] ? "" : differ(weight, bias, "outputs");
}

void compute(void* kernel, TF_OpKernelContext* context) {
  const bool transposed = *static_cast<const unsigned char*>(kernel) != 0;
  Input x("x"), weight("weight"), bias("bias");
  if (!read_inputs(context, {&x, &weight, &bias})) return;
  const std::string why = wrong(x, weight, bias, transposed);
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  std::vector<std::size_t> shape = x.shape();
  shape.back() = weight[transposed ? 0 : 1];
  const std::size_t rows = elements(shape) / std::max<std::size_t>(1, shape.back());
  const Linear linear{rows, x.width(), shape.back(), transposed, x.data(), weight.data(), bias.data()};
  write_output(context, shape, [&](float* out) { multiply(linear, out); });
}

}  // namespace

Operation linear_operation() {
  return {kName, {"x: float", "weight: float", "bias: float"}, {"transposed: bool"}, {"y: float"}, create, compute, nullptr,
          destroy};
}

}  // namespace bergson

// BergsonDrawColumns: columns int32 [n] -> those columns of a random matrix, [n, rows]. Attribute `matrix`: rows, then 1 for
// normal entries and 0 for signs, then seed, both words of the stream, and side, as kernels/random-matrix.ts names them. On
// a GPU only, where ids of a batch need not leave it.
#include "cuda-project.h"
#include "operations.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonDrawColumns";

struct Matrix {
  static constexpr int kCount = 6;
  int64_t values[kCount];
};

void* create(TF_OpKernelConstruction* construction) {
  Status status;
  Matrix* matrix = new Matrix{};
  tf.TF_OpKernelConstruction_GetAttrInt64List(construction, "matrix", matrix->values, Matrix::kCount, status);
  if (status.ok() && matrix->values[0] < 1) {
    tf.TF_SetStatus(status, kInvalidArgument, "BergsonDrawColumns: a matrix has at least one row");
  }
  if (status.ok()) return matrix;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete matrix;
  return nullptr;
}

void destroy(void* kernel) { delete static_cast<Matrix*>(kernel); }

template <Place kPlace>
void compute(void* kernel, TF_OpKernelContext* context) {
  const int64_t(&matrix)[Matrix::kCount] = static_cast<const Matrix*>(kernel)->values;
  Input columns("columns");
  if (!read_inputs(context, {&columns})) return;
  const std::string wrong = wrong_rank(columns, 1);
  if (!wrong.empty()) {
    refuse(context, kName, wrong);
    return;
  }
  const auto word = [&](int index) { return static_cast<unsigned>(matrix[index]); };
  const RandomColumns random{columns[0], static_cast<std::size_t>(matrix[0]),
                             reinterpret_cast<const int*>(columns.data()), matrix[1] != 0, word(2), word(3), word(4), word(5)};
  compute_output(context, kName, kPlace, {random.count, random.rows},
                 [&](float*) { refuse(context, kName, "is for tensors on a GPU"); },
                 [&](CudaCall& call, float* out) { draw_columns_on_cuda(call, random, out); });
}

}  // namespace

Operation draw_columns_operation() {
  return {kName,
          {"columns: int32"},
          {"matrix: list(int) >= 6"},
          {"drawn: float"},
          create,
          compute<Place::kProcessor>,
          compute<Place::kGpu>,
          destroy};
}

}  // namespace bergson

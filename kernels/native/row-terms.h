// What the columns of rows are made of: gradients as they are, or what they are made from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "operation.h"

namespace bergson {

// Part of a column's numbers. What it reads may outlive the operation that was given it.
class RowTerm {
 public:
  virtual ~RowTerm() = default;
  virtual std::size_t examples() const = 0;
  // Numbers of an example.
  virtual std::size_t width() const = 0;
  // The numbers [examples, width], in `buffer` unless they are somewhere already.
  virtual const float* numbers(std::vector<float>& buffer) const = 0;
  // For messages.
  virtual std::string text() const = 0;
};

// The sum of its terms, from a number of each row on.
struct RowColumn {
  std::size_t offset;
  std::vector<std::unique_ptr<RowTerm>> terms;
};

// What an operation's inputs are, column by column, in the numbers that kernels/row-terms.ts writes.
struct RowProgram {
  std::vector<std::int32_t> integers;
  std::vector<double> reals;
};

// Throws a std::logic_error where they do not fit it.
std::vector<RowColumn> read_columns(TF_OpKernelContext* context, const RowProgram& program);

}  // namespace bergson

// BergsonWriteRows: what rows are made of (row-terms.h) -> a number that says nothing. Writes them to the files that were prepared
// (row-write.h). In the background where there is one.
#include <memory>
#include <stdexcept>
#include <vector>

#include "background.h"
#include "operations.h"
#include "row-write.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonWriteRows";

std::string wrong(const std::vector<RowColumn>& columns, const RowWrite& write) {
  for (const RowColumn& column : columns) {
    for (const auto& term : column.terms) {
      if (term->examples() != write.positions.size()) {
        return term->text() + " has not " + std::to_string(write.positions.size()) + " examples";
      }
      if (term->width() > write.width || column.offset > write.width - term->width()) {
        return term->text() + " from " + std::to_string(column.offset) + " on exceeds a row of " + std::to_string(write.width);
      }
    }
  }
  return "";
}

double work_of(const std::vector<RowColumn>& columns) {
  double work = 0;
  for (const RowColumn& column : columns) {
    for (const auto& term : column.terms) work += term->work();
  }
  return work;
}

void compute(void*, TF_OpKernelContext* context) {
  const std::shared_ptr<RowWrite> write = take_row_write();
  if (write == nullptr) {
    refuse(context, kName, "no write was prepared");
    return;
  }
  const auto columns = std::make_shared<std::vector<RowColumn>>();
  try {
    *columns = read_columns(context, write->program);
  } catch (const std::logic_error& error) {
    refuse(context, kName, error.what());
    return;
  }
  const std::string why = wrong(*columns, *write);
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  const auto job = [write, columns] { write_rows(*write, *columns); };
  if (write->later) Background::instance().leave(work_of(*columns), job);
  else job();
  write_output(context, {}, [](float* out) { *out = 0; });
}

}  // namespace

Operation write_rows_operation() {
  return {kName, {"inputs: N * float"}, {"N: int >= 1"}, {"nothing: float"}, create_nothing, compute, nullptr, destroy_nothing};
}

}  // namespace bergson

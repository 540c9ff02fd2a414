// BergsonWriteRows: what rows are made of (row-terms.h) -> nothing. Writes them to the files that were prepared (row-write.h). In
// the background where there is one, which begins at once, and all else that was left to it.
#include <limits>
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
  if (write->later) write->jobs = Background::instance().leave(std::numeric_limits<double>::infinity(), job);
  else job();
}

}  // namespace

Operation write_rows_operation() {
  return {kName, {"inputs: N * float"}, {"N: int >= 1"}, {}, create_nothing, compute, nullptr, destroy_nothing};
}

}  // namespace bergson

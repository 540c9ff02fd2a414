// BergsonWriteRows: gradients, each [N, ...] -> a number that says nothing. Writes them as rows to the files that were prepared
// (row-write.h). In the background where that is wanted.
#include <memory>
#include <vector>

#include "background.h"
#include "operations.h"
#include "row-write.h"

namespace bergson {
namespace {

constexpr char kName[] = "BergsonWriteRows";

using Inputs = std::vector<std::unique_ptr<Input>>;

bool read_gradients(TF_OpKernelContext* context, Inputs& inputs) {
  for (int index = 0; index < tf.TF_NumInputs(context); index++) {
    inputs.push_back(std::make_unique<Input>("gradients"));
    Status status;
    if (inputs.back()->read(context, index, status)) continue;
    tf.TF_OpKernelContext_Failure(context, status);
    return false;
  }
  return true;
}

std::size_t row_width(const Input& gradients) { return gradients.positions() * gradients.width(); }

std::string wrong(const Inputs& inputs, const RowWrite* write) {
  if (write == nullptr) return "no write was prepared";
  if (inputs.size() != write->offsets.size()) {
    return std::to_string(inputs.size()) + " gradients have " + std::to_string(write->offsets.size()) + " places in a row";
  }
  for (std::size_t i = 0; i < inputs.size(); i++) {
    const Input& gradients = *inputs[i];
    const std::string rank = rank_below(gradients, 2);
    if (!rank.empty()) return rank;
    if (gradients.examples() != write->positions.size()) {
      return gradients.text() + " has not " + std::to_string(write->positions.size()) + " examples";
    }
    if (write->offsets[i] + row_width(gradients) > write->width) {
      return gradients.text() + " from " + std::to_string(write->offsets[i]) + " on exceeds a row of " +
             std::to_string(write->width);
    }
  }
  return "";
}

void compute(void*, TF_OpKernelContext* context) {
  const std::shared_ptr<RowWrite> write = take_row_write();
  const auto inputs = std::make_shared<Inputs>();
  if (!read_gradients(context, *inputs)) return;
  const std::string why = wrong(*inputs, write.get());
  if (!why.empty()) {
    refuse(context, kName, why);
    return;
  }
  const auto job = [write, inputs] {
    std::vector<RowPart> parts;
    for (const auto& input : *inputs) parts.push_back({input->data(), row_width(*input)});
    write_rows(*write, parts);
  };
  if (Background::wanted()) Background::instance().leave(0, job);
  else job();
  write_output(context, {}, [](float* out) { *out = 0; });
}

}  // namespace

Operation write_rows_operation() {
  return {kName, {"gradients: N * float"}, {"N: int >= 1"}, {"nothing: float"}, create_nothing, compute, nullptr, destroy_nothing};
}

}  // namespace bergson

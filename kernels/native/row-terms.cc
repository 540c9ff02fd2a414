#include "row-terms.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "instruction-sets.h"
#include "projection-inputs.h"
#include "scratch.h"
#include "sum-products.h"

namespace bergson {
namespace {

// As in kernels/row-terms.ts.
enum Kind { kGradients, kFactors, kPatches, kChannels };

// What a program says of a term, and the inputs that it names.
class Reader {
 public:
  Reader(TF_OpKernelContext* context, const RowProgram& program) : context_(context), program_(program) {}

  bool ended() const { return integer_ == program_.integers.size(); }
  std::int32_t integer() { return program_.integers.at(integer_++); }
  float real() { return static_cast<float>(program_.reals.at(real_++)); }

  // Reads the input that the next integer names; a negative one names nothing.
  void input(Input& input) {
    const int index = integer();
    Status status;
    if (index >= 0 && !input.read(context_, index, status)) throw std::invalid_argument(status.message());
  }

 private:
  TF_OpKernelContext* context_;
  const RowProgram& program_;
  std::size_t integer_ = 0;
  std::size_t real_ = 0;
};

void check(const std::string& wrong) {
  if (!wrong.empty()) throw std::invalid_argument(wrong);
}

class Gradients : public RowTerm {
 public:
  explicit Gradients(Reader& reader) {
    reader.input(input_);
    check(rank_below(input_, 2));
  }
  std::size_t examples() const override { return input_.examples(); }
  std::size_t width() const override { return input_.positions() * input_.width(); }
  const float* numbers(std::vector<float>&) const override { return input_.data(); }
  std::string text() const override { return input_.text(); }

 private:
  Input input_{"gradients"};
};

// The projected gradients of a linear map, or of one of patches.
class Projection : public RowTerm {
 public:
  Projection(Reader& reader, bool patches) : in_(patches ? "image" : "activations") {
    for (Input* input : {&in_.activations, &in_.right, &in_.bias_row, &in_.output_gradients, &in_.left}) reader.input(*input);
    ProjectionAttributes attributes;
    attributes.multiplier = reader.real();
    if (patches) {
      for (int64_t& each : attributes.window) each = reader.integer();
      check(attributes.wrong_window());
    }
    check(patches ? wrong_patches(in_, attributes) : wrong_factors(in_));
    if (patches) patches_ = patches_of(in_.activations, in_.output_gradients, attributes);
    factors_ = factors_of(in_, patches ? &patches_ : nullptr, attributes.multiplier);
  }
  std::size_t examples() const override { return factors_.examples; }
  std::size_t width() const override { return factors_.p * factors_.q; }
  const float* numbers(std::vector<float>& buffer) const override {
    float* out = scratch(buffer, examples() * width());
    if (examples() * width() > 0) project_factors(factors_, out);
    return out;
  }
  std::string text() const override { return in_.activations.text() + " projected"; }

 private:
  ProjectionInputs in_;
  Patches patches_{};
  Factors factors_{};
};

// The gradients of a scale, of a shift, or of one beside the other, projected where there is a left side.
class Channels : public RowTerm {
 public:
  explicit Channels(Reader& reader) {
    for (Input* input : {&gradients_, &values_, &center_, &variance_, &left_}) reader.input(*input);
    scale_ = reader.integer() != 0;
    shift_ = reader.integer() != 0;
    multiplier_ = reader.real();
    epsilon_ = reader.real();
    check(wrong_channels(gradients_, values_, center_));
    if (variance_.present() && (variance_.rank() != 1 || variance_[0] != values_.width())) {
      throw std::invalid_argument(differ(variance_, values_, "channels"));
    }
    if (left_.present()) check(wrong_rank(left_, 2));
    if (left_.present() && left_[0] != outputs()) throw std::invalid_argument(differ(left_, values_, "channels"));
    sums_ = channel_sums_of(gradients_, values_, center_);
  }
  std::size_t examples() const override { return sums_.examples; }
  std::size_t width() const override { return left_.present() ? left_[1] : outputs(); }
  const float* numbers(std::vector<float>& buffer) const override {
    const std::size_t n = examples(), channels = sums_.channels;
    thread_local std::vector<float> sums;
    float* whole = scratch(sums, n * 2 * channels);
    sum_products(sums_, whole);
    const float* first = scale_ ? whole : whole + channels;  // of an example, of which it takes `outputs`
    if (scale_ && variance_.present()) {
      for (std::size_t c = 0; c < channels; c++) {
        const float inverse = 1 / std::sqrt(variance_.data()[c] + epsilon_);
        for (std::size_t i = 0; i < n; i++) whole[i * 2 * channels + c] *= inverse;
      }
    }
    float* out = scratch(buffer, n * width());
    const Product product{false, false, n, width(), outputs(), first, 2 * channels, left_.data(), width(), out, width()};
    if (left_.present()) {
      instruction_set().multiply(product);
    } else {
      for (std::size_t i = 0; i < n; i++) std::copy_n(first + i * 2 * channels, outputs(), out + i * outputs());
    }
    for (std::size_t i = 0; i < n * width(); i++) out[i] *= multiplier_;
    return out;
  }
  std::string text() const override { return values_.text() + " by channel"; }

 private:
  std::size_t outputs() const { return (scale_ + shift_) * values_.width(); }

  Input gradients_{"output_gradients"}, values_{"values"}, center_{"center"}, variance_{"variance"}, left_{"left"};
  bool scale_, shift_;
  float multiplier_, epsilon_;
  ChannelSums sums_{};
};

std::unique_ptr<RowTerm> read_term(Reader& reader) {
  const std::int32_t kind = reader.integer();
  switch (kind) {
    case kGradients:
      return std::make_unique<Gradients>(reader);
    case kFactors:
    case kPatches:
      return std::make_unique<Projection>(reader, kind == kPatches);
    case kChannels:
      return std::make_unique<Channels>(reader);
  }
  throw std::invalid_argument("there are no terms of kind " + std::to_string(kind));
}

}  // namespace

std::vector<RowColumn> read_columns(TF_OpKernelContext* context, const RowProgram& program) {
  Reader reader(context, program);
  std::vector<RowColumn> columns;
  while (!reader.ended()) {
    RowColumn column{static_cast<std::size_t>(reader.integer()), {}};
    for (std::int32_t terms = reader.integer(); terms > 0; terms--) column.terms.push_back(read_term(reader));
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace bergson

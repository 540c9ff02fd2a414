#include "projection-inputs.h"

namespace bergson {
namespace {

// What is wrong with everything but the activations, of `inputs` columns; or nothing.
std::string wrong_sides(const ProjectionInputs& in, std::size_t inputs) {
  for (const Input* matrix : {&in.right, &in.bias_row, &in.left}) {
    const std::string wrong = matrix->given() ? wrong_rank(*matrix, 2) : "";
    if (!wrong.empty()) return wrong;
  }
  if (in.right.present() && in.right[0] != inputs) return differ(in.right, in.activations, "inputs");
  const std::size_t columns = in.right.present() ? in.right[1] : inputs;
  if (in.bias_row.present() && in.bias_row[0] != 1) return in.bias_row.text() + " is not one row";
  if (in.bias_row.present() && in.bias_row[1] != columns) {
    return differ(in.bias_row, in.right.present() ? in.right : in.activations, "columns");
  }
  if (in.left.present() && in.left[0] != in.output_gradients.width()) {
    return differ(in.left, in.output_gradients, "outputs");
  }
  return "";
}

// Whether kernels, strides and dilations are positive and no patch lies outside the image altogether.
bool valid_window(const ProjectionAttributes& attributes) {
  const int64_t* window = attributes.window;
  for (int i = 0; i < 6; i++) {
    if (window[i] < 1) return false;
  }
  for (int axis = 0; axis < 2; axis++) {
    const int64_t reach = (window[axis] - 1) * window[4 + axis];
    if (window[6 + axis] < 0 || window[6 + axis] > reach) return false;
  }
  return true;
}

// Whether patches of `out` positions along an axis start inside the image padded on both sides.
bool fits(std::size_t size, std::size_t out, const ProjectionAttributes& attributes, int axis) {
  return out == 0 || (out - 1) * attributes[2 + axis] < size + attributes[6 + axis];
}

}  // namespace

std::vector<const char*> ProjectionInputs::specs(const char* activations) {
  return {activations, "right: float", "bias_row: float", "output_gradients: float", "left: float"};
}

std::vector<const char*> ProjectionAttributes::specs(bool patches) {
  if (patches) return {"multiplier: float", "window: list(int) >= 8"};
  return {"multiplier: float"};
}

ProjectionAttributes* ProjectionAttributes::read(TF_OpKernelConstruction* construction, const char* operation,
                                                 bool patches) {
  Status status;
  ProjectionAttributes* read = new ProjectionAttributes;
  tf.TF_OpKernelConstruction_GetAttrFloat(construction, "multiplier", &read->multiplier, status);
  if (status.ok() && patches) {
    tf.TF_OpKernelConstruction_GetAttrInt64List(construction, "window", read->window, kWindow, status);
    const std::string wrong = status.ok() ? read->wrong_window() : "";
    if (!wrong.empty()) tf.TF_SetStatus(status, kInvalidArgument, (std::string(operation) + ": " + wrong).c_str());
  }
  if (status.ok()) return read;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete read;
  return nullptr;
}

std::string ProjectionAttributes::wrong_window() const {
  if (valid_window(*this)) return "";
  std::string text = "window [";
  for (int i = 0; i < kWindow; i++) text += (i == 0 ? "" : ", ") + std::to_string(window[i]);
  return text + "] is out of range";
}

std::string wrong_factors(const ProjectionInputs& in) {
  const Input& a = in.activations;
  const Input& d = in.output_gradients;
  for (const std::string& wrong : {rank_below(a, 2), rank_below(d, 2)}) {
    if (!wrong.empty()) return wrong;
  }
  if (a.examples() != d.examples()) return differ(a, d, "examples");
  if (a.positions() != d.positions()) return differ(a, d, "positions");
  return wrong_sides(in, a.width());
}

std::string wrong_images(const Input& images, const Input& gradients, const ProjectionAttributes& attributes) {
  for (const std::string& wrong : {wrong_rank(images, 4), wrong_rank(gradients, 4)}) {
    if (!wrong.empty()) return wrong;
  }
  if (images.examples() != gradients.examples()) return differ(images, gradients, "examples");
  if (!fits(images[1], gradients[1], attributes, 0) || !fits(images[2], gradients[2], attributes, 1)) {
    return gradients.text() + " has more positions than " + images.text();
  }
  return "";
}

std::string wrong_patches(const ProjectionInputs& in, const ProjectionAttributes& attributes) {
  const std::string wrong = wrong_images(in.activations, in.output_gradients, attributes);
  if (!wrong.empty()) return wrong;
  if (!in.right.present()) return "right is missing";
  return wrong_sides(in, attributes[0] * attributes[1] * in.activations[3]);
}

Patches patches_of(const Input& images, const Input& gradients, const ProjectionAttributes& attributes) {
  const ProjectionAttributes& w = attributes;
  return {images[1], images[2], images[3], w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], gradients[1], gradients[2]};
}

Factors factors_of(const ProjectionInputs& in, const Patches* patches, float multiplier) {
  const std::size_t inputs = patches == nullptr ? in.activations.width() : patches->inputs();
  const std::size_t outputs = in.output_gradients.width();
  return {in.output_gradients.examples(),
          in.output_gradients.positions(),
          inputs,
          outputs,
          in.left.present() ? in.left[1] : outputs,
          in.right.present() ? in.right[1] : inputs,
          in.activations.data(),
          patches,
          in.right.data(),
          in.bias_row.data(),
          in.output_gradients.data(),
          in.left.data(),
          multiplier};
}

}  // namespace bergson

// What the operations that project a linear map's gradients take: inputs, attributes, and what can be wrong with them.
#pragma once
#include <string>

#include "operation.h"
#include "project-factors.h"

namespace bergson {

// Activations [N, ..., K] or images [N, H, W, C], right [K, q], bias_row [1, q], output_gradients [N, ..., O] or
// [N, H', W', O], left [O, p]. A right or left of shape [0, 0] is the identity, a bias_row of that shape zero.
struct ProjectionInputs {
  Input activations;
  Input right{"right"}, bias_row{"bias_row"}, output_gradients{"output_gradients"}, left{"left"};

  explicit ProjectionInputs(const char* name) : activations(name) {}

  // How they are declared to TensorFlow.
  static std::vector<const char*> specs(const char* activations);
};

// Attributes: `multiplier` is what the result is multiplied by. With images there is also `window`: kernel, stride and
// dilation, each height and width, then the padding at the top and on the left.
struct ProjectionAttributes {
  static constexpr int kWindow = 8;
  float multiplier = 1;
  int64_t window[kWindow] = {};

  static std::vector<const char*> specs(bool patches);

  // Null, and the construction told why, if TensorFlow has none or the window makes no sense.
  static ProjectionAttributes* read(TF_OpKernelConstruction* construction, const char* operation, bool patches);

  // What is wrong with the window, or nothing.
  std::string wrong_window() const;

  std::size_t operator[](int index) const { return static_cast<std::size_t>(window[index]); }
};

// What is wrong with the inputs, or nothing.
std::string wrong_factors(const ProjectionInputs& in);
std::string wrong_patches(const ProjectionInputs& in, const ProjectionAttributes& attributes);
// Images and the output gradients of a convolution over them.
std::string wrong_images(const Input& images, const Input& gradients, const ProjectionAttributes& attributes);

// Of inputs that are right.
Patches patches_of(const Input& images, const Input& gradients, const ProjectionAttributes& attributes);
Factors factors_of(const ProjectionInputs& in, const Patches* patches, float multiplier);

// The kernels of an operation with these attributes.
template <const char* kOperation, bool kPatches>
void* create_projection(TF_OpKernelConstruction* construction) {
  return ProjectionAttributes::read(construction, kOperation, kPatches);
}
inline void destroy_projection(void* kernel) { delete static_cast<ProjectionAttributes*>(kernel); }

}  // namespace bergson

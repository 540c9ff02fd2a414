// BergsonProjectFactors: activations [N, ..., K], right [K, q], bias_row [1, q], output_gradients [N, ..., O],
// left [O, p] -> [N, p, q]. A right or left of shape [0, 0] is the identity, a bias_row of that shape zero. Attribute
// `multiplier` is what the result is multiplied by.
//
// BergsonProjectPatches: the same for the patches of images [N, H, W, C], with output_gradients [N, H', W', O];
// attribute `window` is kernel, stride, dilation, each height and width, then the padding at the top and on the left.
#include "operations.h"
#include "project-factors.h"

namespace bergson {
namespace {

constexpr char kFactors[] = "BergsonProjectFactors";
constexpr char kPatches[] = "BergsonProjectPatches";

struct Inputs {
  Input activations, right{"right"}, bias_row{"bias_row"}, output_gradients{"output_gradients"}, left{"left"};

  explicit Inputs(const char* activations) : activations(activations) {}

  bool read(TF_OpKernelContext* context) {
    return read_inputs(context, {&activations, &right, &bias_row, &output_gradients, &left});
  }
};

// What is wrong with everything but the activations, of `inputs` columns; or nothing.
std::string complaint(const Inputs& in, std::size_t inputs) {
  for (const Input* matrix : {&in.right, &in.bias_row, &in.left}) {
    const std::string wrong = wrong_rank(*matrix, 2);
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

void project(TF_OpKernelContext* context, const Inputs& in, std::size_t inputs, const Patches* patches,
             float multiplier) {
  const std::size_t outputs = in.output_gradients.width();
  const Factors factors{in.output_gradients.examples(),
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
  write_output(context, {factors.examples, factors.p, factors.q},
               [&](float* out) { project_factors(factors, out); });
}

std::string complaint_of_factors(const Inputs& in) {
  const Input& a = in.activations;
  const Input& d = in.output_gradients;
  for (const std::string& wrong : {rank_below(a, 2), rank_below(d, 2)}) {
    if (!wrong.empty()) return wrong;
  }
  if (a.examples() != d.examples()) return differ(a, d, "examples");
  if (a.positions() != d.positions()) return differ(a, d, "positions");
  return complaint(in, a.width());
}

void* create_factors(TF_OpKernelConstruction* construction) {
  Status status;
  float* multiplier = new float;
  tf.TF_OpKernelConstruction_GetAttrFloat(construction, "multiplier", multiplier, status);
  if (status.ok()) return multiplier;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete multiplier;
  return nullptr;
}

void destroy_factors(void* kernel) { delete static_cast<float*>(kernel); }

void compute_factors(void* kernel, TF_OpKernelContext* context) {
  Inputs in("activations");
  if (!in.read(context)) return;
  const std::string wrong = complaint_of_factors(in);
  if (wrong.empty()) project(context, in, in.activations.width(), nullptr, *static_cast<float*>(kernel));
  else refuse(context, kFactors, wrong);
}

// The attributes of BergsonProjectPatches.
struct Window {
  static constexpr int kCount = 8;
  int64_t values[kCount] = {};
  float multiplier = 1;

  // Kernels, strides and dilations are positive, and no patch lies outside the image altogether.
  bool valid() const {
    for (int i = 0; i < 6; i++) {
      if (values[i] < 1) return false;
    }
    for (int axis = 0; axis < 2; axis++) {
      const int64_t reach = (values[axis] - 1) * values[4 + axis];
      if (values[6 + axis] < 0 || values[6 + axis] > reach) return false;
    }
    return true;
  }

  std::size_t operator[](int index) const { return static_cast<std::size_t>(values[index]); }
};

void* create_patches(TF_OpKernelConstruction* construction) {
  Status status;
  Window* window = new Window;
  tf.TF_OpKernelConstruction_GetAttrInt64List(construction, "window", window->values, Window::kCount, status);
  if (status.ok()) tf.TF_OpKernelConstruction_GetAttrFloat(construction, "multiplier", &window->multiplier, status);
  if (status.ok() && !window->valid()) {
    tf.TF_SetStatus(status, kInvalidArgument, (std::string(kPatches) + ": window is out of range").c_str());
  }
  if (status.ok()) return window;
  tf.TF_OpKernelConstruction_Failure(construction, status);
  delete window;
  return nullptr;
}

void destroy_patches(void* kernel) { delete static_cast<Window*>(kernel); }

// Whether patches of `out` positions along an axis start inside the image padded on both sides.
bool fits(std::size_t size, std::size_t out, const Window& window, int axis) {
  return out == 0 || (out - 1) * window[2 + axis] < size + window[6 + axis];
}

std::string complaint_of_patches(const Inputs& in, const Window& window) {
  const Input& image = in.activations;
  const Input& d = in.output_gradients;
  for (const std::string& wrong : {wrong_rank(image, 4), wrong_rank(d, 4)}) {
    if (!wrong.empty()) return wrong;
  }
  if (image.examples() != d.examples()) return differ(image, d, "examples");
  if (!fits(image[1], d[1], window, 0) || !fits(image[2], d[2], window, 1)) {
    return d.text() + " has more positions than " + image.text();
  }
  if (!in.right.present()) return "right is missing";
  return complaint(in, window[0] * window[1] * image[3]);
}

void compute_patches(void* kernel, TF_OpKernelContext* context) {
  const Window& window = *static_cast<const Window*>(kernel);
  Inputs in("image");
  if (!in.read(context)) return;
  const std::string wrong = complaint_of_patches(in, window);
  if (!wrong.empty()) {
    refuse(context, kPatches, wrong);
    return;
  }
  const Patches patches{in.activations[1], in.activations[2], in.activations[3],      window[0],
                        window[1],         window[2],         window[3],              window[4],
                        window[5],         window[6],         window[7],              in.output_gradients[1],
                        in.output_gradients[2]};
  project(context, in, patches.inputs(), &patches, window.multiplier);
}

std::vector<const char*> inputs_named(const char* activations) {
  return {activations, "right: float", "bias_row: float", "output_gradients: float", "left: float"};
}

}  // namespace

Operation project_factors_operation() {
  return {kFactors,       inputs_named("activations: float"), {"multiplier: float"}, "projected: float", create_factors,
          compute_factors, destroy_factors};
}

Operation project_patches_operation() {
  return {kPatches,        inputs_named("image: float"), {"window: list(int) >= 8", "multiplier: float"}, "projected: float", create_patches,
          compute_patches, destroy_patches};
}

}  // namespace bergson

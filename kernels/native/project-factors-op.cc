// BergsonProjectFactors: activations [N, S, K], right [K, q], bias_row [1, q], output_gradients [N, S, O], left [O, p]
// -> [N, p, q]. A right or left of shape [0, 0] is the identity, a bias_row of that shape zero. See project-factors.h.
#include "project-factors-op.h"

#include <dlfcn.h>

#include <mutex>
#include <vector>

#include "project-factors.h"
#include "tensorflow-c-api.h"

namespace bergson {
namespace {

constexpr char kOp[] = "BergsonProjectFactors";

TensorFlow tf;

class Status {
 public:
  Status() : status_(tf.TF_NewStatus()) {}
  ~Status() { tf.TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  operator TF_Status*() const { return status_; }
  bool ok() const { return tf.TF_GetCode(status_) == kOk; }
  std::string message() const { return tf.TF_Message(status_); }

 private:
  TF_Status* status_;
};

// An input of the operation.
class Input {
 public:
  Input() = default;
  ~Input() {
    if (tensor_ != nullptr) tf.TF_DeleteTensor(tensor_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  bool read(TF_OpKernelContext* context, int index, TF_Status* status) {
    tf.TF_GetInput(context, index, &tensor_, status);
    if (tf.TF_GetCode(status) != kOk) return false;
    for (int axis = 0; axis < tf.TF_NumDims(tensor_); axis++) {
      shape_.push_back(static_cast<std::size_t>(tf.TF_Dim(tensor_, axis)));
    }
    return true;
  }

  // Whether it is anything but the empty tensor that stands for nothing.
  bool present() const {
    for (std::size_t size : shape_) {
      if (size != 0) return true;
    }
    return rank() == 0;
  }
  std::size_t rank() const { return shape_.size(); }
  std::size_t operator[](std::size_t axis) const { return shape_[axis]; }
  const float* data() const {
    return static_cast<const float*>(tf.TF_TensorData(tensor_));
  }

  std::string shape() const {
    std::string text = "[";
    for (std::size_t axis = 0; axis < rank(); axis++) text += (axis == 0 ? "" : ", ") + std::to_string(shape_[axis]);
    return text + "]";
  }

 private:
  TF_Tensor* tensor_ = nullptr;
  std::vector<std::size_t> shape_;
};

struct Inputs {
  Input activations, output_gradients, right, bias_row, left;
};

// What is wrong with the shapes, or nothing.
std::string complaint(const Inputs& in) {
  const auto rank = [](const char* name, const Input& input, std::size_t wanted) {
    if (input.rank() == wanted) return std::string();
    return std::string(name) + " " + input.shape() + " is not of rank " + std::to_string(wanted);
  };
  for (const std::string& wrong :
       {rank("activations", in.activations, 3), rank("output_gradients", in.output_gradients, 3),
        rank("right", in.right, 2), rank("bias_row", in.bias_row, 2), rank("left", in.left, 2)}) {
    if (!wrong.empty()) return wrong;
  }
  const auto differ = [](const char* name, const Input& input, const char* other, const Input& reference,
                         const char* what) {
    return std::string(name) + " " + input.shape() + " and " + other + " " + reference.shape() + " differ in " + what;
  };
  const Input& a = in.activations;
  const Input& d = in.output_gradients;
  if (a[0] != d[0]) return differ("activations", a, "output_gradients", d, "examples");
  if (a[1] != d[1]) return differ("activations", a, "output_gradients", d, "positions");
  if (in.right.present() && in.right[0] != a[2]) return differ("right", in.right, "activations", a, "inputs");
  const Input& projected = in.right.present() ? in.right : a;
  if (in.bias_row.present() && in.bias_row[0] != 1) return "bias_row " + in.bias_row.shape() + " is not one row";
  if (in.bias_row.present() && in.bias_row[1] != projected[projected.rank() - 1]) {
    return differ("bias_row", in.bias_row, in.right.present() ? "right" : "activations", projected, "columns");
  }
  if (in.left.present() && in.left[0] != d[2]) return differ("left", in.left, "output_gradients", d, "outputs");
  return "";
}

void* create(TF_OpKernelConstruction*) { return nullptr; }

void destroy(void*) {}

void compute(void*, TF_OpKernelContext* context) {
  Status status;
  Inputs in;
  int index = 0;
  for (Input* input : {&in.activations, &in.right, &in.bias_row, &in.output_gradients, &in.left}) {
    if (input->read(context, index++, status)) continue;
    tf.TF_OpKernelContext_Failure(context, status);
    return;
  }
  const std::string wrong = complaint(in);
  if (!wrong.empty()) {
    tf.TF_SetStatus(status, kInvalidArgument, (std::string(kOp) + ": " + wrong).c_str());
    tf.TF_OpKernelContext_Failure(context, status);
    return;
  }
  const Factors factors{in.activations[0],
                        in.activations[1],
                        in.activations[2],
                        in.output_gradients[2],
                        in.left.present() ? in.left[1] : in.output_gradients[2],
                        in.right.present() ? in.right[1] : in.activations[2],
                        in.activations.data(),
                        in.right.present() ? in.right.data() : nullptr,
                        in.bias_row.present() ? in.bias_row.data() : nullptr,
                        in.output_gradients.data(),
                        in.left.present() ? in.left.data() : nullptr};
  const int64_t shape[] = {static_cast<int64_t>(factors.examples), static_cast<int64_t>(factors.p),
                           static_cast<int64_t>(factors.q)};
  const std::size_t bytes = factors.examples * factors.p * factors.q * sizeof(float);
  TF_Tensor* output = tf.TF_AllocateOutput(context, 0, kFloat, shape, 3, bytes, status);
  if (!status.ok()) {
    tf.TF_OpKernelContext_Failure(context, status);
    return;
  }
  if (bytes > 0) project_factors(factors, static_cast<float*>(tf.TF_TensorData(output)));
  tf.TF_DeleteTensor(output);
}

// TensorFlow holds pointers to the addon's functions, so it stays in memory whichever JavaScript thread loaded it.
void stay_loaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&compute), &self) != 0) {
    dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

std::string register_once() {
  const std::string unbound = find_tensorflow(tf);
  if (!unbound.empty()) return unbound;
  Status status;
  TF_OpDefinitionBuilder* op = tf.TF_NewOpDefinitionBuilder(kOp);
  for (const char* input :
       {"activations: float", "right: float", "bias_row: float", "output_gradients: float", "left: float"}) {
    tf.TF_OpDefinitionBuilderAddInput(op, input);
  }
  tf.TF_OpDefinitionBuilderAddOutput(op, "projected: float");
  tf.TF_RegisterOpDefinition(op, status);
  if (!status.ok()) return status.message();
  TF_KernelBuilder* kernel = tf.TF_NewKernelBuilder(kOp, "CPU", create, compute, destroy);
  tf.TF_RegisterKernelBuilder(kOp, kernel, status);
  if (!status.ok()) return status.message();
  stay_loaded();
  return "";
}

}  // namespace

std::string register_project_factors() {
  // JavaScript threads and realms all come here; TensorFlow takes each name once.
  static std::mutex mutex;
  static bool registered = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (registered) return "";
  const std::string failure = register_once();
  registered = failure.empty();
  return failure;
}

}  // namespace bergson

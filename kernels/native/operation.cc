#include "operation.h"

#include <dlfcn.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "allocator.h"
#include "background.h"
#include "operations.h"

namespace bergson {

TensorFlow tf;

bool Input::read(TF_OpKernelContext* context, int index, TF_Status* status) {
  tf.TF_GetInput(context, index, &tensor_, status);
  if (tf.TF_GetCode(status) != kOk) return false;
  for (int axis = 0; axis < tf.TF_NumDims(tensor_); axis++) {
    shape_.push_back(static_cast<std::size_t>(tf.TF_Dim(tensor_, axis)));
  }
  return true;
}

std::size_t Input::positions() const {
  std::size_t count = 1;
  for (std::size_t axis = 1; axis + 1 < rank(); axis++) count *= shape_[axis];
  return count;
}

std::string Input::text() const {
  std::string text = std::string(name_) + " [";
  for (std::size_t axis = 0; axis < rank(); axis++) text += (axis == 0 ? "" : ", ") + std::to_string(shape_[axis]);
  return text + "]";
}

std::string differ(const Input& one, const Input& other, const char* what) {
  return one.text() + " and " + other.text() + " differ in " + what;
}

std::string wrong_rank(const Input& input, std::size_t wanted) {
  return input.rank() == wanted ? "" : input.text() + " is not of rank " + std::to_string(wanted);
}

std::string rank_below(const Input& input, std::size_t least) {
  return input.rank() >= least ? "" : input.text() + " is of a rank below " + std::to_string(least);
}

bool read_inputs(TF_OpKernelContext* context, std::initializer_list<Input*> inputs) {
  Status status;
  int index = 0;
  for (Input* input : inputs) {
    if (input->read(context, index++, status)) continue;
    tf.TF_OpKernelContext_Failure(context, status);
    return false;
  }
  return true;
}

void fail(TF_OpKernelContext* context, int code, const char* name, const std::string& why) {
  Status status;
  tf.TF_SetStatus(status, code, (std::string(name) + ": " + why).c_str());
  tf.TF_OpKernelContext_Failure(context, status);
}

void refuse(TF_OpKernelContext* context, const char* name, const std::string& why) {
  fail(context, kInvalidArgument, name, why);
}

TF_Tensor* allocate_output(TF_OpKernelContext* context, int index, const std::vector<std::size_t>& shape) {
  Status status;
  const std::vector<int64_t> sizes(shape.begin(), shape.end());
  TF_Tensor* output = tf.TF_AllocateOutput(context, index, kFloat, sizes.data(), static_cast<int>(sizes.size()),
                                           elements(shape) * sizeof(float), status);
  if (status.ok()) return output;
  tf.TF_OpKernelContext_Failure(context, status);
  return nullptr;
}

void write_output_later(TF_OpKernelContext* context, const std::vector<std::size_t>& shape, double work,
                        const std::function<void(float*)>& fill) {
  TF_Tensor* output = allocate_output(context, 0, shape);
  if (output == nullptr) return;
  float* data = static_cast<float*>(tf.TF_TensorData(output));
  std::fill_n(data, elements(shape), std::numeric_limits<float>::quiet_NaN());
  Background::instance().leave(work, [=] {
    if (elements(shape) > 0) fill(data);
    tf.TF_DeleteTensor(output);
  });
}

namespace {

// TensorFlow holds pointers to the addon's functions, so it stays in memory whichever JavaScript thread loaded it.
void stay_loaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&register_operations), &self) != 0) {
    dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

std::string register_operation(const Operation& operation) {
  Status status;
  TF_OpDefinitionBuilder* builder = tf.TF_NewOpDefinitionBuilder(operation.name);
  for (const char* input : operation.inputs) tf.TF_OpDefinitionBuilderAddInput(builder, input);
  for (const char* attribute : operation.attributes) tf.TF_OpDefinitionBuilderAddAttr(builder, attribute);
  for (const char* output : operation.outputs) tf.TF_OpDefinitionBuilderAddOutput(builder, output);
  tf.TF_RegisterOpDefinition(builder, status);
  if (!status.ok()) return status.message();
  const auto register_kernel = [&](const char* device, void (*compute)(void*, TF_OpKernelContext*)) {
    if (!status.ok() || compute == nullptr) return;
    TF_KernelBuilder* kernel =
        tf.TF_NewKernelBuilder(operation.name, device, operation.create, compute, operation.destroy);
    tf.TF_RegisterKernelBuilder(operation.name, kernel, status);
  };
  register_kernel("CPU", operation.compute);
  register_kernel("GPU", operation.compute_on_gpu);
  return status.ok() ? "" : status.message();
}

std::string register_all() {
  const std::string unbound = find_tensorflow(tf);
  if (!unbound.empty()) return unbound;
  for (const Operation& operation : {project_factors_operation(), project_patches_operation(),
                                     project_normalized_operation(), project_normalized_patches_operation(),
                                     sum_products_operation(), depthwise_operation(), draw_columns_operation(),
                                     activation_operation(), activation_gradient_operation(),
                                     gated_activation_operation(), gated_activation_gradients_operation(),
                                     normalization_operation(), normalization_gradient_operation(),
                                     causal_attention_operation(), causal_attention_gradients_operation(),
                                     linear_operation(), write_rows_operation(),
                                     cross_entropy_operation(), cross_entropy_gradient_operation()}) {
    const std::string failure = register_operation(operation);
    if (!failure.empty()) return failure;
  }
  stay_loaded();
  return "";
}

}  // namespace

std::string register_operations() {
  // JavaScript threads and realms all come here; TensorFlow takes each name once.
  static std::mutex mutex;
  static bool registered = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (registered) return "";
  const std::string failure = register_all();
  registered = failure.empty();
  if (registered) keep_freed_memory();
  return failure;
}

}  // namespace bergson

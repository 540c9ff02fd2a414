// What the addon's TensorFlow operations share: their inputs, outputs and errors, and how they are registered.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tensorflow-c-api.h"

namespace bergson {

// The TensorFlow that this process has loaded, once an operation is registered.
extern TensorFlow tf;

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

// A float32 input of an operation.
class Input {
 public:
  explicit Input(const char* name) : name_(name) {}
  ~Input() {
    if (tensor_ != nullptr) tf.TF_DeleteTensor(tensor_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  bool read(TF_OpKernelContext* context, int index, TF_Status* status);

  // Whether it was read.
  bool given() const { return tensor_ != nullptr; }

  // Whether it was read, and is anything but the empty matrix [0, 0] that stands for nothing.
  bool present() const { return given() && !(rank() == 2 && shape_[0] == 0 && shape_[1] == 0); }
  std::size_t rank() const { return shape_.size(); }
  const std::vector<std::size_t>& shape() const { return shape_; }
  std::size_t operator[](std::size_t axis) const { return shape_[axis]; }
  // Null where nothing is present.
  const float* data() const { return present() ? static_cast<const float*>(tf.TF_TensorData(tensor_)) : nullptr; }

  // As [examples, positions, width]: every axis between the first and the last is a position.
  std::size_t examples() const { return shape_.front(); }
  std::size_t positions() const;
  std::size_t width() const { return shape_.back(); }

  // Its name and shape, for messages.
  std::string text() const;

 private:
  const char* name_;
  TF_Tensor* tensor_ = nullptr;
  std::vector<std::size_t> shape_;
};

// "a [2, 3] and b [4, 3] differ in rows"
std::string differ(const Input& one, const Input& other, const char* what);

// What is wrong with an input's rank, or nothing.
std::string wrong_rank(const Input& input, std::size_t wanted);
std::string rank_below(const Input& input, std::size_t least);

inline std::size_t elements(const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (std::size_t size : shape) count *= size;
  return count;
}

// Reads all inputs in order; on failure the context has been told.
bool read_inputs(TF_OpKernelContext* context, std::initializer_list<Input*> inputs);

// Fails the operation `name` with one of TensorFlow's codes.
void fail(TF_OpKernelContext* context, int code, const char* name, const std::string& why);

// Fails the operation `name` for its arguments.
void refuse(TF_OpKernelContext* context, const char* name, const std::string& why);

// An output, of float32; null, and the context told why, where TensorFlow has no memory.
TF_Tensor* allocate_output(TF_OpKernelContext* context, int index, const std::vector<std::size_t>& shape);

// An output, freed when it has been handed over.
class Output {
 public:
  Output(TF_OpKernelContext* context, int index, const std::vector<std::size_t>& shape)
      : tensor_(allocate_output(context, index, shape)) {}
  ~Output() {
    if (tensor_ != nullptr) tf.TF_DeleteTensor(tensor_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  bool allocated() const { return tensor_ != nullptr; }
  float* data() const { return static_cast<float*>(tf.TF_TensorData(tensor_)); }

 private:
  TF_Tensor* tensor_;
};

// Lets `fill` write the only output; not called where there is nothing to write.
template <class Fill>
void write_output(TF_OpKernelContext* context, const std::vector<std::size_t>& shape, const Fill& fill) {
  TF_Tensor* output = allocate_output(context, 0, shape);
  if (output == nullptr) return;
  if (elements(shape) > 0) fill(static_cast<float*>(tf.TF_TensorData(output)));
  tf.TF_DeleteTensor(output);
}

// The same in the background, by `work` multiplications. Whoever reads the output before that is done finds what is not a
// number.
void write_output_later(TF_OpKernelContext* context, const std::vector<std::size_t>& shape, double work,
                        const std::function<void(float*)>& fill);

struct Operation {
  const char* name;
  std::vector<const char*> inputs;
  std::vector<const char*> attributes;
  std::vector<const char*> outputs;
  void* (*create)(TF_OpKernelConstruction*);
  void (*compute)(void* kernel, TF_OpKernelContext*);
  // Null for an operation of the processor alone.
  void (*compute_on_gpu)(void* kernel, TF_OpKernelContext*);
  void (*destroy)(void* kernel);
};

// Of an operation without attributes.
inline void* create_nothing(TF_OpKernelConstruction*) { return nullptr; }
inline void destroy_nothing(void*) {}

// Registers every operation and its kernels with the TensorFlow that the process has loaded, once; empty, or why not.
std::string register_operations();

}  // namespace bergson

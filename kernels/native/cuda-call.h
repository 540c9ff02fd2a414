// One call of an operation on a GPU: its context, its memory, its launches, and what becomes of errors.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda-driver.h"
#include "operation.h"

namespace bergson {

// Where an operation's tensors are.
enum class Place { kProcessor, kGpu };

// From now on operations on the processor go through this driver, with copies to and from its GPU; an empty name: they do
// not. Throws a CudaError.
void use_cuda(const std::string& library);

// Whether TensorFlow's driver takes the kernels: throws a CudaError that says why not.
void check_cuda();

class CudaCall {
 public:
  // Float32 on the device, not initialized.
  class Memory {
   public:
    Memory(CudaCall& call, std::size_t count);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    float* data() const { return data_; }

   private:
    CudaCall& call_;
    float* data_ = nullptr;
    TF_Tensor* tensor_ = nullptr;
  };

  CudaCall(CudaDriver& driver, Place place, TF_OpKernelContext* context);
  ~CudaCall();
  CudaCall(const CudaCall&) = delete;
  CudaCall& operator=(const CudaCall&) = delete;

  // An input of so many floats as the device has it; null stays null.
  const float* input(const float* data, std::size_t count);

  // Starts a kernel, which runs after everything that the device was given before, by whomever.
  template <class Arguments>
  void launch(const std::string& kernel, std::size_t blocks, const Arguments& arguments) {
    launch_kernel(kernel, blocks, const_cast<Arguments*>(&arguments));
  }

  // Lets `fill` write so many floats of output on the device, which all that the device is given from then on finds there.
  void write(float* out, std::size_t count, const std::function<void(float*)>& fill);

 private:
  void launch_kernel(const std::string& kernel, std::size_t blocks, void* arguments);

  // TensorFlow does not say which stream it uses, and one stream's work waits for no other's unless it is told to. An
  // event of the whole context tells it; where the driver knows none, the host waits.
  void follow_others();
  void let_others_follow();
  void wait() { driver_.check(driver_.cuCtxSynchronize(), "cuCtxSynchronize"); }

  CudaDriver& driver_;
  const Place place_;
  TF_OpKernelContext* const context_;
  const CudaContext cuda_context_;
  CudaEvent event_ = nullptr;
  bool follows_ = false;  // since the last allocation, what others still do to that memory
  std::vector<std::unique_ptr<Memory>> inputs_;
};

// Lets one of the two write the operation's only output: `on_cuda` where the tensors are on a GPU, or where operations on
// the processor go through CUDA too. Errors of CUDA become those of the operation `name`.
using FillOnProcessor = std::function<void(float* out)>;
using FillOnCuda = std::function<void(CudaCall&, float* out)>;
void compute_output(TF_OpKernelContext* context, const char* name, Place place, const std::vector<std::size_t>& shape,
                    const FillOnProcessor& on_processor, const FillOnCuda& on_cuda);

// The same, but in the background where that is wanted and `on_processor` serves, which owns all that it reads.
void compute_output_later(TF_OpKernelContext* context, const char* name, Place place,
                          const std::vector<std::size_t>& shape, double work, const FillOnProcessor& on_processor,
                          const FillOnCuda& on_cuda);

// What is handed to kernels as an int; throws a CudaError where it does not fit.
int as_int(std::size_t size);

}  // namespace bergson

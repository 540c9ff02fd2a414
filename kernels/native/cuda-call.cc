#include "cuda-call.h"

#include <atomic>
#include <climits>

#include "../cuda/arguments.h"
#include "background.h"

namespace bergson {
namespace {

std::atomic<CudaDriver*> for_processor{nullptr};

}  // namespace

void use_cuda(const std::string& library) { for_processor = library.empty() ? nullptr : &CudaDriver::load(library); }

void check_cuda() {
  CudaDriver& driver = CudaDriver::load();
  const CudaContext context = driver.context();
  driver.check(driver.cuCtxPushCurrent_v2(context), "cuCtxPushCurrent");
  CudaContext popped;
  try {
    driver.kernel(context, "sum_parts");
  } catch (const CudaError&) {
    driver.cuCtxPopCurrent_v2(&popped);
    throw;
  }
  driver.cuCtxPopCurrent_v2(&popped);
}

int as_int(std::size_t size) {
  if (size > INT_MAX) throw CudaError("a size of " + std::to_string(size) + " is more than a kernel takes");
  return static_cast<int>(size);
}

CudaCall::Memory::Memory(CudaCall& call, std::size_t count) : call_(call) {
  call.follows_ = false;
  if (call.place_ == Place::kProcessor) {
    CudaAddress address = 0;
    call.driver_.check(call.driver_.cuMemAlloc_v2(&address, (count == 0 ? 1 : count) * sizeof(float)), "cuMemAlloc");
    data_ = reinterpret_cast<float*>(address);
    return;
  }
  // TensorFlow has taken the GPU's memory for itself, and lends of it.
  Status status;
  const int64_t size = static_cast<int64_t>(count);
  TF_AllocatorAttributes attributes{kAllocatorAttributesBytes, 0};
  tensor_ = tf.TF_AllocateTemp(call.context_, kFloat, &size, 1, &attributes, status);
  if (!status.ok()) throw CudaError(status.message());
  data_ = static_cast<float*>(tf.TF_TensorData(tensor_));
}

CudaCall::Memory::~Memory() {
  if (tensor_ != nullptr) tf.TF_DeleteTensor(tensor_);
  else call_.driver_.cuMemFree_v2(reinterpret_cast<CudaAddress>(data_));
}

CudaCall::CudaCall(CudaDriver& driver, Place place, TF_OpKernelContext* context)
    : driver_(driver), place_(place), context_(context), cuda_context_(driver.context()) {
  driver_.check(driver_.cuCtxPushCurrent_v2(cuda_context_), "cuCtxPushCurrent");
}

CudaCall::~CudaCall() {
  inputs_.clear();
  if (event_ != nullptr) driver_.cuEventDestroy_v2(event_);
  CudaContext popped;
  driver_.cuCtxPopCurrent_v2(&popped);
}

const float* CudaCall::input(const float* data, std::size_t count) {
  if (place_ == Place::kGpu || data == nullptr) return data;
  inputs_.push_back(std::make_unique<Memory>(*this, count));
  float* copy = inputs_.back()->data();
  driver_.check(driver_.cuMemcpyHtoD_v2(reinterpret_cast<CudaAddress>(copy), data, count * sizeof(float)), "cuMemcpyHtoD");
  return copy;
}

void CudaCall::launch_kernel(const std::string& kernel, std::size_t blocks, void* arguments) {
  const CudaFunction function = driver_.kernel(cuda_context_, kernel);
  if (!follows_) follow_others();
  follows_ = true;
  const unsigned grid = static_cast<unsigned>(as_int(blocks));
  void* parameters[] = {arguments};
  driver_.check(driver_.cuLaunchKernel(function, grid, 1, 1, cuda::kThreads, 1, 1, 0, nullptr, parameters, nullptr),
                ("cuLaunchKernel of " + kernel).c_str());
}

void CudaCall::follow_others() {
  if (!driver_.has_events()) {
    wait();
    return;
  }
  constexpr unsigned kDisableTiming = 2;  // CU_EVENT_DISABLE_TIMING
  if (event_ == nullptr) driver_.check(driver_.cuEventCreate(&event_, kDisableTiming), "cuEventCreate");
  driver_.check(driver_.cuCtxRecordEvent(cuda_context_, event_), "cuCtxRecordEvent");
  driver_.check(driver_.cuStreamWaitEvent(nullptr, event_, 0), "cuStreamWaitEvent");
}

void CudaCall::let_others_follow() {
  if (!driver_.has_events()) {
    wait();
    return;
  }
  if (event_ == nullptr) return;  // nothing was launched
  driver_.check(driver_.cuEventRecord(event_, nullptr), "cuEventRecord");
  driver_.check(driver_.cuCtxWaitEvent(cuda_context_, event_), "cuCtxWaitEvent");
}

void CudaCall::write(float* out, std::size_t count, const std::function<void(float*)>& fill) {
  if (place_ == Place::kGpu) {
    fill(out);
    let_others_follow();
    return;
  }
  Memory copy(*this, count);
  fill(copy.data());
  let_others_follow();
  const CudaAddress from = reinterpret_cast<CudaAddress>(copy.data());
  driver_.check(driver_.cuMemcpyDtoH_v2(out, from, count * sizeof(float)), "cuMemcpyDtoH");
}

void compute_output(TF_OpKernelContext* context, const char* name, Place place, const std::vector<std::size_t>& shape,
                    const FillOnProcessor& on_processor, const FillOnCuda& on_cuda) {
  if (place == Place::kProcessor && for_processor == nullptr) {
    write_output(context, shape, on_processor);
    return;
  }
  write_output(context, shape, [&](float* out) {
    try {
      CudaDriver& driver = place == Place::kGpu ? CudaDriver::load() : *for_processor;
      CudaCall call(driver, place, context);
      call.write(out, elements(shape), [&](float* on_device) { on_cuda(call, on_device); });
    } catch (const CudaError& error) {
      fail(context, kInternal, name, error.what());
    }
  });
}

void compute_output_later(TF_OpKernelContext* context, const char* name, Place place,
                          const std::vector<std::size_t>& shape, double work, const FillOnProcessor& on_processor,
                          const FillOnCuda& on_cuda) {
  const bool processor = place == Place::kProcessor && for_processor == nullptr;
  if (processor && Background::wanted()) write_output_later(context, shape, work, on_processor);
  else compute_output(context, name, place, shape, on_processor, on_cuda);
}

}  // namespace bergson

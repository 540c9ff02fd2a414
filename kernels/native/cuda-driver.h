// The part of CUDA's driver API that the addon uses: prototypes of our own, bound by name to the driver's library when it
// is first asked for. Building needs no CUDA, and nor does a machine without a GPU.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

extern "C" {
struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
}

namespace bergson {

using CudaContext = CUctx_st*;
using CudaModule = CUmod_st*;
using CudaFunction = CUfunc_st*;
using CudaEvent = CUevent_st*;
using CudaAddress = unsigned long long;

// X(name, arguments); all return a CUresult, of which zero is success.
#define BERGSON_CUDA_FUNCTIONS(X)                                                                                    \
  X(cuInit, (unsigned flags))                                                                                        \
  X(cuGetErrorName, (int error, const char** name))                                                                  \
  X(cuGetErrorString, (int error, const char** description))                                                         \
  X(cuDeviceGet, (int* device, int ordinal))                                                                         \
  X(cuDevicePrimaryCtxRetain, (CudaContext*, int device))                                                            \
  X(cuCtxGetCurrent, (CudaContext*))                                                                                 \
  X(cuCtxPushCurrent_v2, (CudaContext))                                                                              \
  X(cuCtxPopCurrent_v2, (CudaContext*))                                                                              \
  X(cuCtxSynchronize, ())                                                                                            \
  X(cuModuleLoadDataEx, (CudaModule*, const void* image, unsigned count, int* options, void** values))               \
  X(cuModuleGetFunction, (CudaFunction*, CudaModule, const char* name))                                              \
  X(cuMemAlloc_v2, (CudaAddress*, std::size_t bytes))                                                                \
  X(cuMemFree_v2, (CudaAddress))                                                                                     \
  X(cuMemcpyHtoD_v2, (CudaAddress to, const void* from, std::size_t bytes))                                          \
  X(cuMemcpyDtoH_v2, (void* to, CudaAddress from, std::size_t bytes))                                                \
  X(cuLaunchKernel, (CudaFunction, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,              \
                     unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream_st*, void** parameters,     \
                     void** extra))

// What orders work of streams that are not ours, without the host. Drivers for CUDA 12.5 and later have all of it.
#define BERGSON_CUDA_EVENT_FUNCTIONS(X)                    \
  X(cuEventCreate, (CudaEvent*, unsigned flags))           \
  X(cuEventDestroy_v2, (CudaEvent))                        \
  X(cuEventRecord, (CudaEvent, CUstream_st*))              \
  X(cuStreamWaitEvent, (CUstream_st*, CudaEvent, unsigned flags)) \
  X(cuCtxRecordEvent, (CudaContext, CudaEvent))            \
  X(cuCtxWaitEvent, (CudaContext, CudaEvent))

struct CudaFunctions {
#define BERGSON_MEMBER(name, arguments) int(*name) arguments = nullptr;
  BERGSON_CUDA_FUNCTIONS(BERGSON_MEMBER)
  BERGSON_CUDA_EVENT_FUNCTIONS(BERGSON_MEMBER)
#undef BERGSON_MEMBER
};

class CudaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A driver that is loaded and initialized. Never unloaded.
class CudaDriver : public CudaFunctions {
 public:
  // The driver of this name, loaded once; throws a CudaError where there is none, or no GPU.
  static CudaDriver& load(const std::string& library);
  // The one that TensorFlow uses.
  static CudaDriver& load() { return load("libcuda.so.1"); }

  // Whether it has the functions of events, all of them.
  bool has_events() const { return has_events_; }

  // Throws a CudaError that names function and error unless the result is success.
  void check(int result, const char* function) const;

  // The current context, or the primary one of the first GPU where there is none; TensorFlow uses primary ones.
  CudaContext context();

  // A kernel of the addon's module, which is loaded into the context, the current one, when it is first used there.
  CudaFunction kernel(CudaContext context, const std::string& name);

 private:
  explicit CudaDriver(const std::string& library);
  CudaModule load_module() const;

  bool has_events_ = true;
  std::mutex mutex_;
  CudaContext primary_ = nullptr;
  std::map<CudaContext, CudaModule> modules_;
  std::map<std::pair<CudaContext, std::string>, CudaFunction> kernels_;
};

}  // namespace bergson

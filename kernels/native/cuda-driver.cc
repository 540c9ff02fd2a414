#include "cuda-driver.h"

#include <dlfcn.h>

#include <memory>
#include <type_traits>

#include "cuda-ptx.h"

namespace bergson {

CudaDriver& CudaDriver::load(const std::string& library) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<CudaDriver>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<CudaDriver>& driver = loaded[library];
  if (driver == nullptr) driver.reset(new CudaDriver(library));
  return *driver;
}

CudaDriver::CudaDriver(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw CudaError(std::string("the CUDA driver does not load: ") + dlerror());
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
    return function != nullptr;
  };
#define BERGSON_FIND(name, arguments) \
  if (!find(#name, name)) throw CudaError("the CUDA driver has no " #name);
  BERGSON_CUDA_FUNCTIONS(BERGSON_FIND)
#undef BERGSON_FIND
#define BERGSON_FIND(name, arguments) has_events_ = find(#name, name) && has_events_;
  BERGSON_CUDA_EVENT_FUNCTIONS(BERGSON_FIND)
#undef BERGSON_FIND
  check(cuInit(0), "cuInit");
}

void CudaDriver::check(int result, const char* function) const {
  if (result == 0) return;
  const char* name = nullptr;
  const char* description = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &description);
  std::string text = std::string(function) + " fails with ";
  text += name == nullptr ? "error " + std::to_string(result) : name;
  if (description != nullptr) text += std::string(" (") + description + ")";
  throw CudaError(text);
}

CudaContext CudaDriver::context() {
  CudaContext current = nullptr;
  check(cuCtxGetCurrent(&current), "cuCtxGetCurrent");
  if (current != nullptr) return current;
  std::lock_guard<std::mutex> lock(mutex_);
  if (primary_ == nullptr) {
    int device = 0;
    check(cuDeviceGet(&device, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&primary_, device), "cuDevicePrimaryCtxRetain");
  }
  return primary_;
}

CudaFunction CudaDriver::kernel(CudaContext context, const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto known = kernels_.find({context, name});
  if (known != kernels_.end()) return known->second;
  CudaModule& module = modules_[context];
  if (module == nullptr) module = load_module();
  CudaFunction function = nullptr;
  check(cuModuleGetFunction(&function, module, name.c_str()), ("cuModuleGetFunction of " + name).c_str());
  kernels_[{context, name}] = function;
  return function;
}

CudaModule CudaDriver::load_module() const {
  constexpr int kErrorLog = 5, kErrorLogBytes = 6;  // CU_JIT_ERROR_LOG_BUFFER and its size
  char log[1024] = "";
  int options[] = {kErrorLog, kErrorLogBytes};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log - 1)};
  CudaModule module = nullptr;
  const int result = cuModuleLoadDataEx(&module, cuda_ptx(), 2, options, values);
  try {
    check(result, "cuModuleLoadDataEx");
  } catch (const CudaError& error) {
    throw log[0] == '\0' ? error : CudaError(std::string(error.what()) + ": " + log);
  }
  return module;
}

}  // namespace bergson

// A CUDA driver without a GPU: the part of the driver API that the addon uses, over kernels compiled for the processor.
//
// The threads of a block are fibres that run one after another, each up to the next barrier; from one barrier to the next
// the order is reversed, so that a missing barrier shows whichever way the data went. Memory of the device ends where a
// page ends that nobody may touch, and what has not been written to it is not a number. A launch fails as a real one
// does: with an error for accesses out of bounds, and for barriers that only some threads reach.
//
// Launches that do not follow what others gave the device, and copies that do not follow launches, are refused.
//
// Under the name lib….fails.<function>.so the library fails in that function. Compiled with BERGSON_OLD_DRIVER it has no
// events.
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cuda.h"

EmulatedIndex threadIdx, blockIdx;

extern "C" char __start_emulated_shared[], __stop_emulated_shared[];
// What a kernel finds beyond the end of its own.
__attribute__((used, section("emulated_shared"))) static char beyond[4096];

namespace {

constexpr int kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kInvalidPtx = 218, kNotFound = 500,
              kNotReady = 600, kIllegalAddress = 700, kLaunchFailed = 719;
constexpr std::size_t kStack = 1 << 16;

using Kernel = void (*)(const void* arguments);

struct Fibre {
  std::vector<char> stack;
  jmp_buf state;
  bool started = false;
  bool at_barrier = false;
};

std::vector<Fibre> fibres;
jmp_buf scheduler;
sigjmp_buf fault;
volatile bool running = false;
Kernel kernel;
const void* arguments;

// Back to the scheduler, until it resumes this fibre.
void pause(bool at_barrier) {
  Fibre& fibre = fibres[threadIdx.x];
  fibre.at_barrier = at_barrier;
  if (_setjmp(fibre.state) == 0) _longjmp(scheduler, 1);
}

void run_blocks() {
  for (;;) {
    kernel(arguments);
    pause(false);
  }
}

__attribute__((noinline)) void resume(unsigned thread) {
  Fibre& fibre = fibres[thread];
  threadIdx.x = thread;
  if (_setjmp(scheduler) != 0) return;
  if (fibre.started) _longjmp(fibre.state, 1);
  fibre.started = true;
  fibre.stack.resize(kStack);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fibre.stack.data();
  context.uc_stack.ss_size = kStack;
  context.uc_link = nullptr;
  makecontext(&context, run_blocks, 0);
  setcontext(&context);
}

int run_block() {
  const std::size_t threads = fibres.size();
  std::memset(__start_emulated_shared, 0xff, __stop_emulated_shared - __start_emulated_shared);
  for (bool reversed = false;; reversed = !reversed) {
    std::size_t waiting = 0;
    for (std::size_t i = 0; i < threads; i++) {
      const std::size_t thread = reversed ? threads - 1 - i : i;
      resume(static_cast<unsigned>(thread));
      waiting += fibres[thread].at_barrier;
    }
    if (waiting == 0) return kSuccess;
    if (waiting < threads) return kLaunchFailed;
  }
}

struct sigaction before;

void on_fault(int, siginfo_t*, void*) {
  if (running) siglongjmp(fault, 1);
  sigaction(SIGSEGV, &before, nullptr);  // not of a kernel: it happens again, to whom it concerns
}

int run_grid(unsigned blocks) {
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
    const int result = run_block();
    if (result != kSuccess) return result;
  }
  return kSuccess;
}

int launch(Kernel what, unsigned blocks, unsigned threads, const void* with) {
  kernel = what;
  arguments = with;
  if (fibres.size() != threads) fibres = std::vector<Fibre>(threads);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &before);
  int result = kIllegalAddress;
  if (sigsetjmp(fault, 1) == 0) {
    running = true;
    result = run_grid(blocks);
  }
  running = false;
  sigaction(SIGSEGV, &before, nullptr);
  if (result != kSuccess) fibres.clear();  // some are in the middle of a block
  return result;
}

bool fails(const char* function) {
  Dl_info self;
  dladdr(reinterpret_cast<void*>(&fails), &self);
  return std::string(self.dli_fname).find(std::string(".fails.") + function + ".") != std::string::npos;
}

#define FAIL_IF_ASKED(name, code) \
  if (fails(name)) return code

std::mutex mutex;
char the_context;
thread_local std::vector<void*> contexts;
std::string module;
bool follows_others = false;  // what is launched now
bool others_follow = true;    // what was launched
std::map<unsigned long long, std::size_t> allocations;  // from the address handed out to the bytes mapped

const std::map<int, std::pair<const char*, const char*>> kErrors = {
    {kOutOfMemory, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {kInvalidValue, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {kInvalidContext, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {kInvalidPtx, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
    {kNotFound, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {kNotReady, {"CUDA_ERROR_NOT_READY", "device not ready"}},
    {kIllegalAddress, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
    {kLaunchFailed, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
};

}  // namespace

void __syncthreads() { pause(true); }

extern "C" {

int cuInit(unsigned) {
  FAIL_IF_ASKED("cuInit", kInvalidValue);
  return kSuccess;
}

int cuGetErrorName(int error, const char** name) {
  const auto found = kErrors.find(error);
  *name = found == kErrors.end() ? nullptr : found->second.first;
  return found == kErrors.end() ? kInvalidValue : kSuccess;
}

int cuGetErrorString(int error, const char** description) {
  const auto found = kErrors.find(error);
  *description = found == kErrors.end() ? nullptr : found->second.second;
  return found == kErrors.end() ? kInvalidValue : kSuccess;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? kSuccess : kInvalidValue;
}

int cuDevicePrimaryCtxRetain(void** context, int) {
  FAIL_IF_ASKED("cuDevicePrimaryCtxRetain", kInvalidValue);
  *context = &the_context;
  return kSuccess;
}

int cuCtxGetCurrent(void** context) {
  *context = contexts.empty() ? nullptr : contexts.back();
  return kSuccess;
}

int cuCtxPushCurrent_v2(void* context) {
  if (context != &the_context) return kInvalidContext;
  contexts.push_back(context);
  return kSuccess;
}

int cuCtxPopCurrent_v2(void** context) {
  if (contexts.empty()) return kInvalidContext;
  *context = contexts.back();
  contexts.pop_back();
  return kSuccess;
}

int cuCtxSynchronize() {
  FAIL_IF_ASKED("cuCtxSynchronize", kLaunchFailed);
  follows_others = others_follow = true;
  return contexts.empty() ? kInvalidContext : kSuccess;
}

#ifndef BERGSON_OLD_DRIVER

// What it was recorded of last.
enum class Event { kNothing, kContext, kStream };

int cuEventCreate(Event** event, unsigned) {
  FAIL_IF_ASKED("cuEventCreate", kOutOfMemory);
  *event = new Event(Event::kNothing);
  return kSuccess;
}

int cuEventDestroy_v2(Event* event) {
  delete event;
  return kSuccess;
}

int cuEventRecord(Event* event, void* stream) {
  *event = Event::kStream;
  return stream == nullptr ? kSuccess : kInvalidValue;
}

int cuStreamWaitEvent(void* stream, Event* event, unsigned flags) {
  if (*event == Event::kContext) follows_others = true;
  return stream == nullptr && flags == 0 ? kSuccess : kInvalidValue;
}

int cuCtxRecordEvent(void* context, Event* event) {
  FAIL_IF_ASKED("cuCtxRecordEvent", kInvalidValue);
  *event = Event::kContext;
  return context == &the_context ? kSuccess : kInvalidContext;
}

int cuCtxWaitEvent(void* context, Event* event) {
  if (*event == Event::kStream) others_follow = true;
  follows_others = false;
  return context == &the_context ? kSuccess : kInvalidContext;
}

#endif

int cuModuleLoadDataEx(void** loaded, const void* image, unsigned, int*, void** values) {
  const std::string text = static_cast<const char*>(image);
  if (fails("cuModuleLoadDataEx") || text.find(".version") == std::string::npos) {
    std::strcpy(static_cast<char*>(values[0]), "the file begins unlike PTX");
    return kInvalidPtx;
  }
  module = text;
  *loaded = &module;
  return contexts.empty() ? kInvalidContext : kSuccess;
}

// A kernel has to be both in the module's text and among those compiled.
int cuModuleGetFunction(Kernel* function, void*, const char* name) {
  Dl_info info;
  dladdr(reinterpret_cast<void*>(&fails), &info);
  void* self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  *function = reinterpret_cast<Kernel>(dlsym(self, (std::string("emulated_") + name).c_str()));
  const bool in_module = module.find(std::string(".entry ") + name + "(") != std::string::npos;
  return in_module && *function != nullptr ? kSuccess : kNotFound;
}

int cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
  FAIL_IF_ASKED("cuMemAlloc", kOutOfMemory);
  if (bytes == 0) return kInvalidValue;
  follows_others = false;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = (bytes + page - 1) / page * page;
  char* mapped = static_cast<char*>(mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapped == MAP_FAILED) return kOutOfMemory;
  mprotect(mapped + size, page, PROT_NONE);
  std::memset(mapped, 0xff, size);
  *address = reinterpret_cast<unsigned long long>(mapped + size - bytes);
  std::lock_guard<std::mutex> lock(mutex);
  allocations[*address] = size + page;
  return kSuccess;
}

int cuMemFree_v2(unsigned long long address) {
  std::lock_guard<std::mutex> lock(mutex);
  const auto found = allocations.find(address);
  if (found == allocations.end()) return kInvalidValue;
  const unsigned long long page = static_cast<unsigned long long>(sysconf(_SC_PAGESIZE));
  munmap(reinterpret_cast<void*>(address / page * page), found->second);
  allocations.erase(found);
  return kSuccess;
}

int cuMemcpyHtoD_v2(unsigned long long to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return kSuccess;
}

int cuMemcpyDtoH_v2(void* to, unsigned long long from, std::size_t bytes) {
  if (!others_follow) return kNotReady;
  std::memcpy(to, reinterpret_cast<void*>(from), bytes);
  return kSuccess;
}

int cuLaunchKernel(Kernel function, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned thread_y,
                   unsigned thread_z, unsigned, void*, void** parameters, void**) {
  FAIL_IF_ASKED("cuLaunchKernel", kIllegalAddress);
  if (contexts.empty()) return kInvalidContext;
  if (!follows_others) return kNotReady;
  others_follow = false;
  if (blocks == 0 || y != 1 || z != 1 || threads == 0 || threads > 1024 || thread_y != 1 || thread_z != 1) return kInvalidValue;
  std::lock_guard<std::mutex> lock(mutex);
  return launch(function, blocks, threads, parameters[0]);
}

}  // extern "C"

// What the kernels in kernels/cuda/ use of CUDA, for a C++ compiler: included before them.
#pragma once
#include <cmath>

#define __device__
// In a section of their own, so that each block finds garbage in them.
#define __shared__ static __attribute__((section("emulated_shared")))
// The driver finds a kernel under this name, and hands it a pointer to its arguments.
#define BERGSON_KERNEL(name, Arguments)                                                                             \
  static void name(const Arguments args);                                                                           \
  extern "C" void emulated_##name(const void* args) { name(*static_cast<const Arguments*>(args)); }                 \
  static void name(const Arguments args)

struct EmulatedIndex {
  unsigned x;
};
extern EmulatedIndex threadIdx, blockIdx;

// Returns when every thread of the block has come here.
void __syncthreads();

inline int min(int a, int b) { return a < b ? a : b; }

// What becomes of memory that TensorFlow frees.
#pragma once
#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace bergson {

// Lets this process keep up to 128 MB that are free for the tensors to come. Each training step frees and allocates its tensors
// anew: by itself glibc gives much of that memory back to the system, which hands it out again page by page, cleared. Left alone
// where the environment says what glibc is to do.
inline void keep_freed_memory() {
#ifdef __GLIBC__
  for (const char* name : {"GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_"}) {
    if (std::getenv(name) != nullptr) return;
  }
  mallopt(M_TRIM_THRESHOLD, 128 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes; setting the other keeps it from finding one by itself
#endif
}

}  // namespace bergson

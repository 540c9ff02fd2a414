// Memory that one thread uses again from call to call.
#pragma once
#include <cstddef>
#include <vector>

namespace bergson {

// At least `size` floats of `buffer`, which grows and never shrinks: make it thread_local.
inline float* scratch(std::vector<float>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

}  // namespace bergson

// The kernels of kernels/cuda/, compiled to CUDA's portable assembly.
#pragma once

namespace bergson {

// Ends in a zero byte.
const char* cuda_ptx();

}  // namespace bergson

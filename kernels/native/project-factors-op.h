// The TensorFlow operation BergsonProjectFactors.
#pragma once
#include <string>

namespace bergson {

// Registers the operation and its CPU kernel with the TensorFlow that the process has loaded, once; empty, or why not.
std::string register_project_factors();

}  // namespace bergson

// The instruction sets that this processor has, and the one in use.
#pragma once
#include <string>
#include <vector>

#include "tiles.h"

namespace bergson {

// Their names, the fastest first; that one is used unless another is asked for.
std::vector<std::string> instruction_sets();

// Uses the named one from now on; false if this processor lacks it.
bool use_instruction_set(const std::string& name);

const InstructionSet& instruction_set();

}  // namespace bergson

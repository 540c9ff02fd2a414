#include "instruction-sets.h"

#include <atomic>

namespace bergson {
namespace {

const InstructionSet* const kKnown[] = {
#if defined(__x86_64__)
    &kAvx512,
    &kAvx2,
#endif
    &kBaseline,
};

const InstructionSet* fastest() {
  for (const InstructionSet* set : kKnown) {
    if (set->supported()) return set;
  }
  return &kBaseline;
}

std::atomic<const InstructionSet*>& chosen() {
  static std::atomic<const InstructionSet*> set{fastest()};
  return set;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const InstructionSet* set : kKnown) {
    if (set->supported()) names.push_back(set->name);
  }
  return names;
}

bool use_instruction_set(const std::string& name) {
  for (const InstructionSet* set : kKnown) {
    if (set->supported() && name == set->name) {
      chosen() = set;
      return true;
    }
  }
  return false;
}

const InstructionSet& instruction_set() { return *chosen().load(); }

}  // namespace bergson

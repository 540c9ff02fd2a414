// Filters whose numbers are all of one size and differ in sign alone, as Rademacher's are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "patches.h"

namespace bergson {

// A filter's part for one pixel of a patch is made of sums of up to four channels, with one choice of signs each. There
// are sixteen choices, whatever the filter and the offset: all sums are made once a pixel, its `table`, and filters pick theirs.
class SignFilters {
 public:
  static constexpr std::size_t kTogether = 4;   // channels of one sum
  static constexpr std::size_t kChoices = 16;   // sums of the same channels; filters that pick at one time

  // Of filters [inputs, q], in memory `stride` floats a row.
  SignFilters(const Patches& patches, const float* filters, std::size_t q, std::size_t stride, const InstructionSet& set);

  // Whether the filters are of this kind, the instruction set can pick, and that is faster than multiplying.
  bool fit() const { return size_ > 0; }

  // Floats of a pixel's table.
  std::size_t table() const { return groups_ * kChoices; }

  // Makes the tables of `pixels`, one after the other.
  void sum(const float* pixels, std::size_t count, float* tables) const;

  // Adds the filters' parts for the line `ky` of the patches, pixels `kx` to `kx + pixels`, to out [positions, stride].
  void add(std::size_t ky, std::size_t kx, std::size_t pixels, const float* tables, std::size_t positions, float* out) const;

 private:
  const InstructionSet& set_;
  std::size_t channels_, groups_, kernel_width_, step_;
  std::size_t vectors_;  // of kChoices filters
  std::size_t stride_;
  float size_ = 0;
  std::vector<std::uint32_t> picks_;  // [vectors, inputs in groups, kChoices]
};

}  // namespace bergson

// Rows of a matrix that are worked on by themselves.
#pragma once
#include <algorithm>
#include <cstddef>

#include "thread-pool.h"

namespace bergson {

// Calls `task` with the number of each of `rows` rows of `width` elements, of which one takes as long as `work`
// multiplications. Several threads do so, as far as that is worth it.
template <class Task>
void each_row(std::size_t rows, std::size_t width, double work, const Task& task) {
  constexpr std::size_t kChunk = 16384;  // elements done at a time, in whole rows
  const std::size_t rows_at_once = std::max<std::size_t>(1, kChunk / width);
  const std::size_t chunks = (rows + rows_at_once - 1) / rows_at_once;
  ThreadPool::instance().run(chunks, work * static_cast<double>(rows * width), [&](std::size_t chunk) {
    const std::size_t end = std::min(rows, (chunk + 1) * rows_at_once);
    for (std::size_t row = chunk * rows_at_once; row < end; row++) task(row);
  });
}

}  // namespace bergson

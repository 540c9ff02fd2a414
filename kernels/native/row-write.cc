#include "row-write.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "scratch.h"

namespace bergson {
namespace {

// Returns 0, or the number of the error.
int write_fully(int descriptor, const void* data, std::size_t bytes, std::int64_t position) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor, from, bytes, static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    from += written;
    bytes -= static_cast<std::size_t>(written);
    position += written;
  }
  return 0;
}

// Rows that lie behind each other both here and in the file are written in one call. Returns 0, or the number of the error.
int write_rows_to(const RowWrite& write, const float* rows) {
  const std::size_t bytes = write.width * sizeof(float);
  const std::vector<std::int64_t>& positions = write.positions;
  for (std::size_t begin = 0, end = 1; begin < positions.size(); begin = end++) {
    if (positions[begin] < 0) continue;
    while (end < positions.size() && positions[end] == positions[end - 1] + static_cast<std::int64_t>(bytes)) end++;
    const int error = write_fully(write.descriptor, rows + begin * write.width, (end - begin) * bytes, positions[begin]);
    if (error != 0) return error;
  }
  return 0;
}

// Adds a term's numbers to those that begin at `to`, of rows.
void add_term(const RowWrite& write, const RowTerm& term, float* to) {
  thread_local std::vector<float> buffer;
  const std::size_t width = term.width();
  const float* from = term.numbers(buffer);
  for (std::size_t row = 0; row < write.positions.size(); row++, from += width, to += write.width) {
    for (std::size_t i = 0; i < width; i++) to[i] += static_cast<float>(from[i] * write.factor);
  }
}

std::shared_ptr<RowWrite>& prepared() {
  thread_local std::shared_ptr<RowWrite> write;
  return write;
}

}  // namespace

void write_rows(RowWrite& write, const std::vector<RowColumn>& columns) {
  const std::size_t size = write.positions.size() * write.width;
  thread_local std::vector<float> buffer;
  float* rows = scratch(buffer, size);
  std::fill_n(rows, size, 0.0f);
  for (const RowColumn& column : columns) {
    for (const auto& term : column.terms) add_term(write, *term, rows + column.offset);
  }
  for (std::size_t i = 0; i < size; i++) {
    if (std::isfinite(rows[i])) continue;
    write.outcome = {RowOutcome::kNotFinite, i, rows[i]};
    return;
  }
  int error = write_rows_to(write, rows);
  std::size_t done = 0;  // of `after`, with that which failed
  while (error == 0 && done < write.after.size()) {
    const FileWrite& next = write.after[done++];
    error = write_fully(next.descriptor, next.bytes.data(), next.bytes.size(), next.position);
  }
  write.outcome = {error == 0 ? RowOutcome::kWritten : RowOutcome::kFailed, done, static_cast<double>(error)};
}

void prepare_row_write(std::shared_ptr<RowWrite> write) { prepared() = std::move(write); }

std::shared_ptr<RowWrite> take_row_write() { return std::move(prepared()); }

}  // namespace bergson

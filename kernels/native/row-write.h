// Rows of gradients on their way to a file, and what else is to be on disk once they are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "row-terms.h"

namespace bergson {

struct FileWrite {
  int descriptor;
  std::int64_t position;
  std::vector<std::uint8_t> bytes;
};

struct RowOutcome {
  enum Kind { kUnwritten, kWritten, kNotFinite, kFailed };
  Kind kind = kUnwritten;
  // Of a number that is not finite the index in rows [n, width]; of a write that failed the index in `after` and one, or 0
  // for the rows themselves.
  std::size_t at = 0;
  // That number, or the system's number of the error.
  double value = 0;
};

struct RowWrite {
  int descriptor;
  std::vector<std::int64_t> positions;  // the byte that each row begins at, negative: it is not written
  RowProgram program;                   // what the columns are made of
  std::size_t width;                    // numbers in a row
  double factor;                        // of all numbers
  std::vector<FileWrite> after;         // in this order
  bool later;                           // in the background
  std::size_t jobs = 0;                 // of the background's, which are done when it is
  RowOutcome outcome;
};

// Puts the columns' numbers side by side in rows, and zero where there is none, and writes them, unless one is not finite, and
// then what comes after. Sets the outcome.
void write_rows(RowWrite& write, const std::vector<RowColumn>& columns);

// What the next operation that this thread calls is to write.
void prepare_row_write(std::shared_ptr<RowWrite> write);
std::shared_ptr<RowWrite> take_row_write();

}  // namespace bergson

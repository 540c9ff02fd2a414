#include "attention.h"

#include <algorithm>
#include <limits>

#include "instruction-sets.h"
#include "scratch.h"
#include "thread-pool.h"

namespace bergson {
namespace {

// Queries whose products with all keys that they see are in memory at one time.
constexpr std::size_t kBlock = 48;
// Rows in scratch memory are a multiple of this, filled up with zeros: partial vectors are slow.
constexpr std::size_t kLanes = 16;

std::size_t whole(std::size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Sizes of scratch memory: rows of a head, and rows of what there is for each key.
struct Widths {
  const std::size_t head, keys;
  explicit Widths(const Attention& in) : head(whole(in.size)), keys(whole(in.positions)) {}
};

// A thread's scratch memory, handed out in pieces.
class Workspace {
 public:
  explicit Workspace(std::size_t floats) {
    thread_local std::vector<float> buffer;
    next_ = scratch(buffer, floats);
  }
  float* rows(std::size_t count, std::size_t width) {
    float* piece = next_;
    next_ += count * width;
    return piece;
  }

 private:
  float* next_;
};

// Turns pairs of channels of a vector, forwards (`direction` 1) or backwards (-1).
void turn(const Attention& in, std::size_t position, float direction, float* x) {
  const float* cosines = in.cosines + position * in.turned;
  const float* sines = in.sines + position * in.turned;
  for (std::size_t i = 0; i < in.turned; i++) {
    const float first = x[i], second = x[i + in.turned], sine = direction * sines[i];
    x[i] = first * cosines[i] - second * sine;
    x[i + in.turned] = second * cosines[i] + first * sine;
  }
}

// Vectors of `count` positions from `first` on times `scale`, as rows of scratch memory.
void load(const Attention& in, const float* from, std::size_t stride, std::size_t first, std::size_t count, bool turned,
          float scale, float* to) {
  const std::size_t width = whole(in.size);
  for (std::size_t s = 0; s < count; s++, to += width) {
    const float* x = from + (first + s) * stride;
    for (std::size_t d = 0; d < in.size; d++) to[d] = scale * x[d];
    std::fill(to + in.size, to + width, 0.0f);
    if (turned) turn(in, first + s, 1, to);
  }
}

// The reverse: `from` becomes the gradient of what was loaded.
void store(const Attention& in, float* from, std::size_t first, std::size_t count, bool turned, float scale, float* to,
           std::size_t stride) {
  const std::size_t width = whole(in.size);
  for (std::size_t s = 0; s < count; s++, from += width) {
    if (turned) turn(in, first + s, -1, from);
    float* x = to + (first + s) * stride;
    for (std::size_t d = 0; d < in.size; d++) x[d] = scale * from[d];
  }
}

// Rows [positions, head] -> [size, keys].
void transpose(const Attention& in, const float* rows, float* to) {
  const Widths widths(in);
  for (std::size_t first = 0; first < in.positions; first += kLanes) {
    const std::size_t count = std::min(kLanes, in.positions - first);
    for (std::size_t d = 0; d < in.size; d++) {
      float* line = to + d * widths.keys + first;
      for (std::size_t s = 0; s < count; s++) line[s] = rows[(first + s) * widths.head + d];
      std::fill(line + count, line + kLanes, 0.0f);
    }
  }
}

// Queries from `first` on, and the keys that any of them sees, from a multiple of kLanes on and as many.
struct Block {
  std::size_t first, count, first_key, keys;

  Block(const Attention& in, std::size_t first) : first(first), count(std::min(kBlock, in.positions - first)) {
    first_key = (first < in.window ? 0 : first - in.window + 1) / kLanes * kLanes;
    keys = whole(first + count - first_key);
  }
};

template <class Each>
void each_block(const Attention& in, const Each& each) {
  for (std::size_t first = 0; first < in.positions; first += kBlock) each(Block(in, first));
}

// Writes products [count, keys] of a block's queries. Of each row `soften` is given those, from a multiple of kLanes on
// and as many, that hold all keys which the query sees; the others among them are minus infinity, and outside the row is 0.
template <class Soften>
void multiply_queries(const Attention& in, const Block& b, const float* queries, const float* transposed_keys,
                      const InstructionSet& set, float* products, const Soften& soften) {
  const Widths widths(in);
  set.multiply({false, false, b.count, b.keys, in.size, queries, widths.head, transposed_keys + b.first_key, widths.keys,
                products, b.keys});
  const float unseen = -std::numeric_limits<float>::infinity();
  for (std::size_t row = 0; row < b.count; row++) {
    const std::size_t position = b.first + row;
    const std::size_t begin = position < in.window ? 0 : position - in.window + 1;
    float* line = products + row * b.keys;
    const std::size_t from = begin > b.first_key ? begin - b.first_key : 0, to = position + 1 - b.first_key;
    const std::size_t first = from / kLanes * kLanes, end = whole(to);
    std::fill(line, line + first, 0.0f);
    std::fill(line + first, line + from, unseen);
    std::fill(line + to, line + end, unseen);
    std::fill(line + end, line + b.keys, 0.0f);
    soften(row, line + first, end - first);
  }
}

void attend_group(const Attention& in, std::size_t n, std::size_t group, const Heads<float>& output, float* statistics) {
  const InstructionSet& set = instruction_set();
  const Widths widths(in);
  const std::size_t shared = in.heads / in.key_heads;
  Workspace space(2 * in.positions * widths.head + in.size * widths.keys + kBlock * (widths.head + widths.keys + kLanes));
  float* keys = space.rows(in.positions, widths.head);
  float* values = space.rows(in.positions, widths.head);
  float* transposed_keys = space.rows(in.size, widths.keys);
  float* queries = space.rows(kBlock, widths.head);
  float* products = space.rows(kBlock, widths.keys + kLanes);
  load(in, in.key.at(n, group), in.key.position, 0, in.positions, true, 1, keys);
  load(in, in.value.at(n, group), in.value.position, 0, in.positions, false, 1, values);
  transpose(in, keys, transposed_keys);
  for (std::size_t h = group * shared; h < (group + 1) * shared; h++) {
    each_block(in, [&](const Block& b) {
      load(in, in.query.at(n, h), in.query.position, b.first, b.count, true, in.scale, queries);
      float* kept = statistics + ((n * in.heads + h) * in.positions + b.first) * 2;
      multiply_queries(in, b, queries, transposed_keys, set, products,
                       [&](std::size_t row, float* seen, std::size_t count) {
                         kept[2 * row] = set.largest(seen, count);
                         kept[2 * row + 1] = set.exponentials(seen, count, kept[2 * row]);
                       });
      float* out = output.at(n, h) + b.first * output.position;
      const std::size_t seen = b.first + b.count - b.first_key;
      set.multiply({false, false, b.count, in.size, seen, products, b.keys, values + b.first_key * widths.head,
                    widths.head, out, output.position});
      for (std::size_t row = 0; row < b.count; row++) {
        const float inverse = 1 / kept[2 * row + 1];
        for (std::size_t d = 0; d < in.size; d++) out[row * output.position + d] *= inverse;
      }
    });
  }
}

void differentiate_group(const Attention& in, std::size_t n, std::size_t group, const AttentionGradients& g) {
  const InstructionSet& set = instruction_set();
  const Widths widths(in);
  const std::size_t shared = in.heads / in.key_heads;
  const std::size_t rows = 4 * in.positions + 3 * kBlock;
  Workspace space(rows * widths.head + 2 * in.size * widths.keys + 2 * kBlock * (widths.keys + kLanes));
  float* keys = space.rows(in.positions, widths.head);
  float* values = space.rows(in.positions, widths.head);
  float* d_keys = space.rows(in.positions, widths.head);
  float* d_values = space.rows(in.positions, widths.head);
  float* queries = space.rows(kBlock, widths.head);
  float* d_queries = space.rows(kBlock, widths.head);
  float* d_output = space.rows(kBlock, widths.head);
  float* transposed_keys = space.rows(in.size, widths.keys);
  float* transposed_values = space.rows(in.size, widths.keys);
  float* weights = space.rows(kBlock, widths.keys + kLanes);
  float* d_products = space.rows(kBlock, widths.keys + kLanes);
  load(in, in.key.at(n, group), in.key.position, 0, in.positions, true, 1, keys);
  load(in, in.value.at(n, group), in.value.position, 0, in.positions, false, 1, values);
  transpose(in, keys, transposed_keys);
  transpose(in, values, transposed_values);
  std::fill_n(d_keys, in.positions * widths.head, 0.0f);
  std::fill_n(d_values, in.positions * widths.head, 0.0f);
  for (std::size_t h = group * shared; h < (group + 1) * shared; h++) {
    each_block(in, [&](const Block& b) {
      load(in, in.query.at(n, h), in.query.position, b.first, b.count, true, in.scale, queries);
      load(in, g.output_gradient.at(n, h), g.output_gradient.position, b.first, b.count, false, 1, d_output);
      // Weights stay multiplied by their sum; the gradient of the output is divided by it instead, D numbers a row.
      const float* kept = g.statistics + ((n * in.heads + h) * in.positions + b.first) * 2;
      multiply_queries(in, b, queries, transposed_keys, set, weights,
                       [&](std::size_t row, float* seen, std::size_t count) {
                         set.exponentials(seen, count, kept[2 * row]);
                       });
      const float* out = g.output.at(n, h) + b.first * g.output.position;
      float along[kBlock];
      for (std::size_t row = 0; row < b.count; row++) {
        float* d = d_output + row * widths.head;
        const float inverse = 1 / kept[2 * row + 1];
        for (std::size_t i = 0; i < in.size; i++) d[i] *= inverse;
        along[row] = 0;
        set.dots({out + row * g.output.position, false, in.size, d, widths.head, 1}, &along[row]);
      }
      set.multiply({false, false, b.count, b.keys, in.size, d_output, widths.head, transposed_values + b.first_key,
                    widths.keys, d_products, b.keys});
      for (std::size_t row = 0; row < b.count; row++) {
        const float* w = weights + row * b.keys;
        float* d = d_products + row * b.keys;
        for (std::size_t i = 0; i < b.keys; i++) d[i] = w[i] * (d[i] - along[row]);
      }
      const std::size_t seen = b.first + b.count - b.first_key;
      const std::size_t key_row = b.first_key * widths.head;
      set.multiply({false, false, b.count, widths.head, seen, d_products, b.keys, keys + key_row, widths.head, d_queries,
                    widths.head});
      set.multiply({true, true, seen, widths.head, b.count, d_products, b.keys, queries, widths.head, d_keys + key_row,
                    widths.head});
      set.multiply({true, true, seen, widths.head, b.count, weights, b.keys, d_output, widths.head, d_values + key_row,
                    widths.head});
      store(in, d_queries, b.first, b.count, true, in.scale, g.query.at(n, h), g.query.position);
    });
  }
  store(in, d_keys, 0, in.positions, true, 1, g.key.at(n, group), g.key.position);
  store(in, d_values, 0, in.positions, false, 1, g.value.at(n, group), g.value.position);
}

// A task is an example's heads of one key: its gradient is their sum.
template <class Each>
void each_group(const Attention& in, double products, const Each& each) {
  const double seen = static_cast<double>(std::min(in.positions, in.window));
  const double work = products * static_cast<double>(in.examples * in.heads * in.positions * in.size) * seen;
  ThreadPool::instance().run(in.examples * in.key_heads, work,
                             [&](std::size_t i) { each(i / in.key_heads, i % in.key_heads); });
}

}  // namespace

void attend(const Attention& in, const Heads<float>& output, float* statistics) {
  each_group(in, 1, [&](std::size_t n, std::size_t group) { attend_group(in, n, group, output, statistics); });
}

void attend_backwards(const Attention& in, const AttentionGradients& gradients) {
  each_group(in, 2.5, [&](std::size_t n, std::size_t group) { differentiate_group(in, n, group, gradients); });
}

}  // namespace bergson

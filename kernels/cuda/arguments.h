// What the host hands to each kernel, and the sizes of tiles that both sides reckon with. Pointers are the device's.
#pragma once

namespace bergson::cuda {

constexpr int kThreads = 256;  // of a block: 16 rows of 16
constexpr int kTileRows = 64;
constexpr int kDepth = 32;  // what a tile sums over at one time
constexpr int kNarrow = 16;  // columns of a tile of the kernels named _16
constexpr int kWide = 64;    // and of those named _64

// The product of two matrices for each of a batch, [rows, inner] by [inner, columns]. A long sum is divided into parts,
// each a result of its own, so that there is work for the whole device and its order is always the same.
struct Product {
  int batches, rows, columns, inner;
  int parts, part;   // how many, and what one of them sums over
  float multiplier;  // of each part
  float* out;        // [parts, batches, rows, columns]
};

// A two-dimensional convolution over images [height, width, channels]; patches are [kernel_height, kernel_width, channels].
struct Window {
  int height, width, channels;
  int kernel_width;
  int stride_height, stride_width;
  int dilation_height, dilation_width;
  int padding_top, padding_left;
  int out_width, positions;
};

// rows times matrix; a batch of one.
struct ProjectRows {
  Product product;
  const float* rows;    // [rows, inner]
  const float* matrix;  // [inner, columns]
};

// Patches of images, one row for each position, times matrix; a batch of one.
struct ProjectPatches {
  Product product;
  const float* image;  // [examples, height, width, channels]
  const float* matrix;
  Window window;
};

// leftᵀ times (right, to each row of which bias_row is added).
struct Contract {
  Product product;
  const float* left;      // [inner, rows], `left_stride` floats from one of the batch to the next
  const float* right;     // [batches, inner, columns]
  const float* bias_row;  // [columns]; null: zero
  long long left_stride;
};

// The sum of the parts of a product, or of several.
struct SumParts {
  const float* parts;  // [count, size]
  float* out;          // [size]
  long long size;
  int count;
  float multiplier;
};

// (G_n ∘ scale) right for every example, with G_n = sum_s d_ns a_nsᵀ [outputs, inputs] and
// scale = 1 / (sqrt(correction moments) + epsilon); the first part has the bias's column of G_n too. The product's inner
// sum is over inputs.
struct ProjectNormalized {
  Product product;
  const float* activations;       // [batches, positions, inner]; with a window, their images
  const float* output_gradients;  // [batches, positions, rows]
  const float* right;             // [inner, columns]; null: the identity
  const float* bias_row;          // [columns]; null: there is no bias
  const float* moments;           // [inner, rows]
  const float* bias_moments;      // [rows]
  const float* constants;         // [correction, epsilon]
  int positions;
  int patches;  // whether there is a window
  Window window;
};

// For each example the sums over positions of output gradient times (value - center), and of output gradient.
struct SumProducts {
  const float* output_gradients;  // [examples, positions, channels]
  const float* values;            // the same
  const float* center;            // [channels]; null: zero
  float* out;                     // [parts, examples, 2, channels]
  int examples, positions, channels;
  int parts, part;
};

// For each example the gradient of a depthwise convolution's kernel.
struct Depthwise {
  const float* image;             // [examples, height, width, channels]
  const float* output_gradients;  // [examples, positions, outputs], outputs a multiple of channels
  float* out;                     // [parts, examples, outputs, pixels]
  int examples, outputs, pixels;  // of the kernel
  int parts, part;
  Window window;
};

// Columns of a random matrix, one after another.
struct DrawColumns {
  const int* columns;
  float* out;      // [columns, rows]
  long long size;  // of out
  int rows;
  int normal;  // or signs
  unsigned seed, stream0, stream1, side;
  double scale;  // standard deviation of an entry
};

}  // namespace bergson::cuda

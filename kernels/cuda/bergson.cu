// All kernels, as one module.
#include "depthwise.cu"
#include "draw-columns.cu"
#include "project-factors.cu"
#include "project-normalized.cu"
#include "project-patches.cu"
#include "sum-parts.cu"
#include "sum-products.cu"

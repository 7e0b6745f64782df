// What the loops of graph_rows.inc take: pointers, strides (0: the same rows for every sample of a batch) and counts.
#pragma once

#include <cstdint>

namespace foehn {

struct EdgeRows {
  const void *edge, *sender, *receiver, *gradient;
  void *out, *receiver_out;
  int64_t edge_stride, sender_stride, receiver_stride;
  const int32_t *senders, *offsets;
  int64_t edges, receivers, width;
  bool silu;
};

struct FlatRows {
  const void *first, *second, *gradient;
  void* out;
};

struct NormRows {
  const void *x, *weight, *bias, *shift, *residual, *sum_gradient, *row_gradient;
  void *rows_out, *sum_out;
  const int32_t* offsets;
  int64_t residual_stride, width, rows, receivers;
  double eps;
};

// Ranges count receivers over the batch; buffers hold one, one, two and three rows of the computing type.
struct RowKernels {
  void (*edge_forward)(const EdgeRows&, int64_t begin, int64_t end);
  void (*edge_backward)(const EdgeRows&, int64_t begin, int64_t end, void* buffer);
  void (*gathered_sum)(const EdgeRows&, int64_t begin, int64_t end, void* buffer);
  void (*silu_forward)(const FlatRows&, int64_t begin, int64_t end);
  void (*silu_backward)(const FlatRows&, int64_t begin, int64_t end);
  void (*norm_forward)(const NormRows&, int64_t begin, int64_t end, void* buffer);
  void (*norm_backward)(const NormRows&, int64_t begin, int64_t end, void* buffer, void* partial);
};

}  // namespace foehn

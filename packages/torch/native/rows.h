// The inner loops of fused.cc (rows of bfloat16 channels-last images) and of adam.cc. They are compiled once for each kind of processor
// (rows_*.cc, from rows.inc), because the addon itself is built for any; `row_functions` chooses when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foehn {

// A mixed row of a map, and where each output column reads from it.
struct MapRow {
  const float* row;
  const int32_t *low, *high;
  const float* part;
};

// What all elements of a tensor share in a step of Adam. `size` is lr / (1 − β₁ᵗ), `root` is √(1 − β₂ᵗ), `kept` what decoupled decay leaves
// of a weight, 1 − lr·λ, and `l2` the λ that is added to the gradient.
struct AdamStep {
  float beta1, beta2, eps, size, root, kept, l2, sign;
};

struct RowFunctions {
  // out[i] = (1 − t)·a[i] + t·b[i], from bfloat16 to float32: a row between two rows. `out` has room for a multiple of sixteen.
  void (*mix_rows)(const uint16_t* a, const uint16_t* b, float t, float* out, int64_t n);
  // out[x·c + i] = base[x·c + i] + Σ over maps of the value between columns, for one output row of `width` cells of c channels; no base is zero.
  void (*add_columns)(const uint16_t* base, uint16_t* out, int64_t width, int64_t c, const MapRow* maps, size_t count);
  // One step of Adam for n elements: p ← kept·p − size·m / (√v / root + ε) after m and v have taken the gradient.
  void (*adam)(float* p, const float* g, float* m, float* v, int64_t n, const AdamStep& step);
};

extern const RowFunctions rows_any;
#if defined(__x86_64__)
extern const RowFunctions rows_avx2, rows_avx512;
#endif

// What this processor runs best.
const RowFunctions& row_functions();

}  // namespace foehn

// Operators of our own, for inference: what libtorch has no single operator for and what costs most as several. They are in the
// dispatcher as foehn::…, so a graph calls them like any other. Each says what the plain operators would give.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <vector>

#include "compat.h"
#include "rows.h"

namespace {

// Where output cell i of `size` reads from `from` cells: PyTorch's area_pixel_compute_source_index, without a given scale.
struct Axis {
  std::vector<int32_t> low, high;
  std::vector<float> part;
  Axis(int64_t from, int64_t size, bool align_corners) : low(size), high(size), part(size) {
    const float scale = align_corners ? (size > 1 ? static_cast<float>(from - 1) / static_cast<float>(size - 1) : 0.f)
                                      : static_cast<float>(from) / static_cast<float>(size);
    for (int64_t i = 0; i < size; i++) {
      float at = align_corners ? scale * static_cast<float>(i) : scale * (static_cast<float>(i) + 0.5f) - 0.5f;
      if (at < 0) at = 0;
      low[i] = static_cast<int32_t>(at);
      high[i] = low[i] + (low[i] < from - 1 ? 1 : 0);
      part[i] = at - static_cast<float>(low[i]);
    }
  }
};

int64_t rounded(int64_t length) { return (length + 15) / 16 * 16; }  // the loops write sixteen at a time

// base + Σ upsample_bilinear2d(map, size), all (N, C, H, W); no base is zero. Bfloat16 is summed in float32 and rounded once.
at::Tensor add_upsampled(const foehn::Optional<at::Tensor>& given, at::TensorList maps, at::IntArrayRef size, bool align_corners) {
  TORCH_CHECK(!maps.empty() && size.size() == 2, "add_upsampled takes one map or more, and a size of two dimensions");
  const at::Tensor base = given.has_value() ? *given : at::Tensor();
  const auto type = maps[0].scalar_type();
  const int64_t batch = maps[0].size(0), channels = maps[0].size(1), height = size[0], width = size[1];
  const std::vector<int64_t> sizes = {batch, channels, height, width};
  TORCH_CHECK(!base.defined() || (base.sizes() == at::IntArrayRef(sizes) && base.scalar_type() == type),
              "add_upsampled: the base has ", base.sizes(), " of ", base.scalar_type(), ", the sum ", at::IntArrayRef(sizes), " of ", type);
  if (type != at::kBFloat16) {
    at::Tensor sum = base;
    for (const auto& map : maps) {
      const auto up = at::upsample_bilinear2d(map, size, align_corners);
      sum = sum.defined() ? sum + up : up;
    }
    return sum;
  }
  const auto own = base.defined() ? base.contiguous(at::MemoryFormat::ChannelsLast) : base;
  struct Map {
    at::Tensor tensor;
    Axis rows, columns;
  };
  std::vector<Map> all;
  int64_t cells = 0;  // of one row of every map
  for (const auto& map : maps) {
    TORCH_CHECK(map.dim() == 4 && map.size(0) == batch && map.size(1) == channels && map.scalar_type() == type && map.numel() > 0,
                "add_upsampled: a map has ", map.sizes(), " of ", map.scalar_type(), ", the first one ", maps[0].sizes(), " of ", type);
    all.push_back({map.contiguous(at::MemoryFormat::ChannelsLast), Axis(map.size(2), height, align_corners), Axis(map.size(3), width, align_corners)});
    cells += rounded(map.size(3) * channels);
  }
  const auto& loops = foehn::row_functions();
  auto out = at::empty(sizes, maps[0].options().memory_format(at::MemoryFormat::ChannelsLast));
  const auto* from = own.defined() ? reinterpret_cast<const uint16_t*>(own.data_ptr()) : nullptr;
  auto* to = reinterpret_cast<uint16_t*>(out.data_ptr());
  at::parallel_for(0, batch * height, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> mixed(static_cast<size_t>(cells + 16));  // the last channels are read sixteen at a time too
    std::vector<foehn::MapRow> rows(all.size());
    for (int64_t k = begin; k < end; k++) {
      const int64_t n = k / height, y = k % height;
      float* row = mixed.data();
      for (size_t m = 0; m < all.size(); m++) {
        const Map& map = all[m];
        const int64_t length = map.tensor.size(3) * channels;
        const auto* data = reinterpret_cast<const uint16_t*>(map.tensor.data_ptr()) + n * map.tensor.size(2) * length;
        loops.mix_rows(data + map.rows.low[y] * length, data + map.rows.high[y] * length, map.rows.part[y], row, length);
        rows[m] = {row, map.columns.low.data(), map.columns.high.data(), map.columns.part.data()};
        row += rounded(length);
      }
      loops.add_columns(from == nullptr ? nullptr : from + k * width * channels, to + k * width * channels, width, channels, rows.data(), rows.size());
    }
  });
  return out;
}

}  // namespace

TORCH_LIBRARY(foehn, library) {
  library.def("add_upsampled(Tensor? base, Tensor[] maps, int[2] size, bool align_corners) -> Tensor");
  library.impl("add_upsampled", c10::DispatchKey::CPU, add_upsampled);
}

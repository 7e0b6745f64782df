// One step of Adam or AdamW for many parameters in one pass over their memory, where ATen's foreach operators take ten.
// It is in the dispatcher as foehn::adam_; src/optim/adam.ts says when it is used and what the plain operators would give.
// Formulas: Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019, Algorithm 2.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "rows.h"

namespace {

constexpr int64_t kPiece = 1 << 15;  // elements: four arrays of them fit into a second-level cache

struct Piece {
  float *p, *m, *v;
  const float* g;
  int64_t count;
  size_t parameter;
};

// The values of `tensor` in the memory order of `like`: the tensor itself where it has that order.
at::Tensor in_order_of(const at::Tensor& tensor, const at::Tensor& like) {
  if (tensor.strides() == like.strides() && tensor.scalar_type() == at::kFloat) return tensor;
  return at::empty_like(like).copy_(tensor);
}

// False, with nothing done, where a parameter has gaps in memory. sizes[i] = lr / (1 − β₁ᵗ) and roots[i] = √(1 − β₂ᵗ) of parameter i; `kept` = 1 − lr·λ of decoupled decay, `l2` = λ of decay in the gradient.
bool adam_(at::TensorList params, at::TensorList gradients, at::TensorList first, at::TensorList second, at::ArrayRef<double> sizes,
           at::ArrayRef<double> roots, double beta1, double beta2, double eps, double kept, double l2, bool maximize) {
  const size_t count = params.size();
  TORCH_CHECK(gradients.size() == count && first.size() == count && second.size() == count && sizes.size() == count && roots.size() == count,
              "adam_ takes lists of one length, got ", count, " parameters, ", gradients.size(), " gradients");
  for (const auto& p : params) {
    if (!p.is_non_overlapping_and_dense()) return false;
  }
  std::vector<at::Tensor> ordered;  // keeps copied gradients alive
  std::vector<Piece> pieces;
  for (size_t i = 0; i < count; i++) {
    const auto& p = params[i];
    for (const auto* state : {&first[i], &second[i]}) {
      TORCH_CHECK(state->sizes() == p.sizes() && state->strides() == p.strides() && state->scalar_type() == at::kFloat, "adam_: parameter ", i,
                  " has another shape or layout than its state");
    }
    TORCH_CHECK(p.scalar_type() == at::kFloat && gradients[i].sizes() == p.sizes(), "adam_: parameter ", i,
                " is not float32, or its gradient has another shape");
    ordered.push_back(in_order_of(gradients[i], p));
    for (int64_t at = 0; at < p.numel(); at += kPiece) {
      pieces.push_back({p.data_ptr<float>() + at, first[i].data_ptr<float>() + at, second[i].data_ptr<float>() + at,
                        ordered.back().data_ptr<float>() + at, std::min(kPiece, p.numel() - at), i});
    }
  }
  const auto& rows = foehn::row_functions();
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      const Piece& piece = pieces[static_cast<size_t>(k)];
      const foehn::AdamStep step = {static_cast<float>(beta1), static_cast<float>(beta2),
                                    static_cast<float>(eps),   static_cast<float>(sizes[piece.parameter]),
                                    static_cast<float>(roots[piece.parameter]), static_cast<float>(kept),
                                    static_cast<float>(l2),    maximize ? -1.f : 1.f};
      rows.adam(piece.p, piece.g, piece.m, piece.v, piece.count, step);
    }
  });
  return true;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(foehn, library) {
  library.def(
      "adam_(Tensor(a!)[] params, Tensor[] gradients, Tensor(b!)[] first, Tensor(c!)[] second, float[] sizes, float[] roots, float beta1, "
      "float beta2, float eps, float kept, float l2, bool maximize) -> bool");
  library.impl("adam_", c10::DispatchKey::CPU, adam_);
}

// Message passing on the CPU: rows of nodes meet at edges, rows of edges are normalised and summed at nodes, each with its gradient.
// The operators these replace (index_select, add, silu, layer_norm, index_add) pass over edge tensors several times more, and some
// are slow in bfloat16. Elsewhere than on the CPU src/graph.ts composes them.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "bind.h"
#include "compat.h"
#include "graph.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOEHN_GRAPH_X86 1
#endif

namespace foehn {
namespace {

#ifdef FOEHN_GRAPH_X86
#pragma GCC push_options
#pragma GCC optimize("O3")
namespace base {
#include "graph_types.inc"
}
#pragma GCC target("avx2,fma")
namespace avx2 {
#include "graph_types.inc"
}
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
namespace avx512 {
#include "graph_types.inc"
}
#pragma GCC pop_options
#else
namespace base {
#include "graph_types.inc"
}
#endif

const RowKernels& kernels_of(at::ScalarType type) {
#ifdef FOEHN_GRAPH_X86
  static const int level = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                                   __builtin_cpu_supports("avx512vl")
                               ? 2
                           : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1
                                                                                             : 0;
#define FOEHN_PICK(suffix) (level == 2 ? avx512::kernels_##suffix : level == 1 ? avx2::kernels_##suffix : base::kernels_##suffix)
#else
#define FOEHN_PICK(suffix) base::kernels_##suffix
#endif
  switch (type) {
    case at::kFloat: return FOEHN_PICK(float);
    case at::kBFloat16: return FOEHN_PICK(bf16);
    case at::kDouble: return FOEHN_PICK(double);
    default: throw AddonError("ERR_TORCH_ARGUMENT", std::string("message passing takes float32, float64 or bfloat16, got ") + dtype_name(type));
  }
}

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

using MaybeTensor = Optional<at::Tensor>;  // an undefined tensor is no argument of an autograd function

constexpr int64_t kGrain = 16384;  // elements worth a thread

int64_t grain(int64_t width, int64_t rows_per_item = 1) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width * rows_per_item)); }
at::ScalarType compute_type(at::ScalarType type) { return type == at::kDouble ? at::kDouble : at::kFloat; }
size_t compute_bytes(at::ScalarType type, int64_t count) { return static_cast<size_t>(count) * (type == at::kDouble ? 8 : 4); }
const int32_t* ints(const at::Tensor& tensor) { return tensor.data_ptr<int32_t>(); }
const void* data(const at::Tensor& tensor) { return tensor.defined() ? tensor.data_ptr() : nullptr; }

// A batch of rows: (B, rows, d), or (rows, d) for every sample.
int64_t stride(const at::Tensor& tensor) { return tensor.dim() == 3 && tensor.size(0) > 1 ? tensor.size(1) * tensor.size(2) : 0; }

void need(bool holds, const std::string& what) {
  if (!holds) throw AddonError("ERR_TORCH_SHAPE", what);
}

// The loops of backward are not recorded: with createGraph their result would look like a constant.
void refuse_second_derivative() {
  if (c10::GradMode::is_enabled())
    throw AddonError("ERR_TORCH_GRAD", "gradients of message passing cannot be differentiated again; leave createGraph out");
}

struct Edges {
  at::Tensor senders, offsets, order, sender_offsets;
  int64_t count() const { return senders.size(0); }
  int64_t receivers() const { return offsets.size(0) - 1; }
  int64_t nodes() const { return sender_offsets.size(0) - 1; }
};

void check_ints(const at::Tensor& tensor, const char* name) {
  need(tensor.is_cpu() && tensor.scalar_type() == at::kInt && tensor.dim() == 1 && tensor.is_contiguous(),
       std::string(name) + " must be a contiguous list of int32 on the CPU, got " + describe(tensor));
}

// Gradient of a term that had no batch: the total over the batch.
at::Tensor like_input(const at::Tensor& gradient, const at::Tensor& input) {
  if (gradient.dim() == input.dim()) return gradient.size(0) == input.size(0) ? gradient : gradient.sum(0, true);
  return gradient.size(0) == 1 ? gradient.squeeze(0) : gradient.sum(0);
}

EdgeRows edge_rows(const at::Tensor& edge, const at::Tensor& sender, const at::Tensor& receiver, const Edges& edges, bool silu) {
  EdgeRows rows{};
  rows.edge = edge.data_ptr();
  rows.sender = sender.data_ptr();
  rows.receiver = receiver.data_ptr();
  rows.edge_stride = stride(edge);
  rows.sender_stride = stride(sender);
  rows.receiver_stride = stride(receiver);
  rows.senders = ints(edges.senders);
  rows.offsets = ints(edges.offsets);
  rows.edges = edges.count();
  rows.receivers = edges.receivers();
  rows.width = edge.size(-1);
  rows.silu = silu;
  return rows;
}

struct EdgeSum : torch::autograd::Function<EdgeSum> {
  static Variable forward(AutogradContext* ctx, const Variable& edge, const Variable& sender, const Variable& receiver, const at::Tensor& senders,
                          const at::Tensor& offsets, const at::Tensor& order, const at::Tensor& sender_offsets, bool silu) {
    const Edges edges{senders, offsets, order, sender_offsets};
    const int64_t d = edge.size(-1), batch = std::max({edge.dim() == 3 ? edge.size(0) : 1, sender.dim() == 3 ? sender.size(0) : 1,
                                                       receiver.dim() == 3 ? receiver.size(0) : 1});
    auto out = at::empty({batch, edges.count(), d}, edge.options());
    EdgeRows rows = edge_rows(edge, sender, receiver, edges, silu);
    rows.out = out.data_ptr();
    const RowKernels& kernels = kernels_of(edge.scalar_type());
    const int64_t items = batch * edges.receivers();
    at::parallel_for(0, items, grain(d, edges.count() / std::max<int64_t>(1, edges.receivers())),
                     [&](int64_t begin, int64_t end) { kernels.edge_forward(rows, begin, end); });
    ctx->save_for_backward({edge, sender, receiver, senders, offsets, order, sender_offsets});
    ctx->saved_data["silu"] = silu;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &edge = saved[0], &sender = saved[1], &receiver = saved[2];
    const Edges edges{saved[3], saved[4], saved[5], saved[6]};
    const auto gradient = gradients[0].to(edge.scalar_type()).contiguous();
    const int64_t d = edge.size(-1), batch = gradient.size(0);
    auto at_edges = at::empty_like(gradient);
    auto at_receivers = at::empty({batch, edges.receivers(), d}, edge.options());
    auto at_senders = at::empty({batch, edges.nodes(), d}, edge.options());
    const RowKernels& kernels = kernels_of(edge.scalar_type());
    EdgeRows rows = edge_rows(edge, sender, receiver, edges, ctx->saved_data["silu"].toBool());
    rows.gradient = gradient.data_ptr();
    rows.out = at_edges.data_ptr();
    rows.receiver_out = at_receivers.data_ptr();
    const auto buffered = [&](void (*kernel)(const EdgeRows&, int64_t, int64_t, void*)) {
      at::parallel_for(0, batch * rows.receivers, grain(d, edges.count() / std::max<int64_t>(1, rows.receivers)), [&](int64_t begin, int64_t end) {
        std::vector<char> buffer(compute_bytes(edge.scalar_type(), d));
        kernel(rows, begin, end, buffer.data());
      });
    };
    buffered(kernels.edge_backward);
    rows.edge = at_edges.data_ptr();
    rows.senders = ints(edges.order);
    rows.offsets = ints(edges.sender_offsets);
    rows.receivers = edges.nodes();
    rows.out = at_senders.data_ptr();
    buffered(kernels.gathered_sum);
    return {like_input(at_edges, edge), like_input(at_senders, sender), like_input(at_receivers, receiver), {}, {}, {}, {}, {}};
  }
};

struct Silu : torch::autograd::Function<Silu> {
  static Variable forward(AutogradContext* ctx, const Variable& first, const MaybeTensor& given) {
    const at::Tensor second = given.value_or(at::Tensor());
    auto out = at::empty_like(first);
    run(first, second, at::Tensor(), out);
    ctx->save_for_backward({first, second});
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    auto out = at::empty_like(saved[0]);
    run(saved[0], saved[1], gradients[0].to(saved[0].scalar_type()).contiguous(), out);
    return {out, saved[1].defined() ? out : at::Tensor()};
  }

  static void run(const at::Tensor& first, const at::Tensor& second, const at::Tensor& gradient, at::Tensor& out) {
    const FlatRows rows{first.data_ptr(), data(second), data(gradient), out.data_ptr()};
    const RowKernels& kernels = kernels_of(first.scalar_type());
    const auto kernel = gradient.defined() ? kernels.silu_backward : kernels.silu_forward;
    at::parallel_for(0, first.numel(), kGrain, [&](int64_t begin, int64_t end) { kernel(rows, begin, end); });
  }
};

NormRows norm_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& shift, const at::Tensor& offsets, double eps) {
  NormRows rows{};
  rows.x = x.data_ptr();
  rows.weight = weight.data_ptr();
  rows.shift = shift.data_ptr();
  rows.offsets = offsets.defined() ? ints(offsets) : nullptr;
  rows.width = x.size(-1);
  rows.rows = x.size(-2);
  rows.receivers = offsets.defined() ? offsets.size(0) - 1 : rows.rows;
  rows.eps = eps;
  return rows;
}

at::Tensor shift_or_zeros(const at::Tensor& shift, const at::Tensor& weight) {
  return shift.defined() ? shift.to(weight.scalar_type()).contiguous() : at::zeros_like(weight);
}

// Layer norm of rows + shift: → sums over each receiver's edges (with offsets), and the rows themselves + residual (when asked for).
struct NormSum : torch::autograd::Function<NormSum> {
  static variable_list forward(AutogradContext* ctx, const Variable& x, const Variable& weight, const Variable& bias, const MaybeTensor& shift_given,
                               const MaybeTensor& residual_given, const MaybeTensor& offsets_given, double eps, bool want_rows) {
    const at::Tensor shift = shift_given.value_or(at::Tensor()), residual = residual_given.value_or(at::Tensor()), offsets = offsets_given.value_or(at::Tensor());
    const auto type = compute_type(x.scalar_type());
    const auto w = weight.to(type).contiguous(), b = bias.to(type).contiguous();
    const auto moved = shift_or_zeros(shift, w);
    NormRows rows = norm_rows(x, w, moved, offsets, eps);
    const int64_t batch = x.size(0);
    at::Tensor sums, out;
    if (offsets.defined()) {
      sums = at::empty({batch, rows.receivers, rows.width}, x.options());
      rows.sum_out = sums.data_ptr();
    }
    if (want_rows) {
      out = at::empty_like(x);
      rows.rows_out = out.data_ptr();
    }
    rows.bias = b.data_ptr();
    rows.residual = data(residual);
    rows.residual_stride = residual.defined() ? stride(residual) : 0;
    const RowKernels& kernels = kernels_of(x.scalar_type());
    at::parallel_for(0, batch * rows.receivers, grain(rows.width, rows.rows / std::max<int64_t>(1, rows.receivers)), [&](int64_t begin, int64_t end) {
      std::vector<char> buffer(compute_bytes(type, 2 * rows.width));
      kernels.norm_forward(rows, begin, end, buffer.data());
    });
    ctx->save_for_backward({x, weight, shift, offsets});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["residual"] = residual.defined() ? residual.dim() * 2 + (residual.dim() == 3 && residual.size(0) == 1 ? 1 : 0) : 0;
    variable_list outputs;
    if (sums.defined()) outputs.push_back(sums);
    if (out.defined()) outputs.push_back(out);
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &shift = saved[2], &offsets = saved[3];
    const auto type = compute_type(x.scalar_type());
    const auto w = weight.to(type).contiguous();
    const auto moved = shift_or_zeros(shift, w);
    NormRows rows = norm_rows(x, w, moved, offsets, ctx->saved_data["eps"].toDouble());
    const auto prepared = [&](const at::Tensor& gradient) { return gradient.defined() ? gradient.to(x.scalar_type()).contiguous() : at::Tensor(); };
    const at::Tensor of_sums = offsets.defined() ? prepared(gradients[0]) : at::Tensor();
    const size_t row_place = offsets.defined() ? 1 : 0;
    const at::Tensor of_rows = gradients.size() > row_place ? prepared(gradients[row_place]) : at::Tensor();
    auto dx = at::empty_like(x);
    rows.sum_gradient = data(of_sums);
    rows.row_gradient = data(of_rows);
    rows.rows_out = dx.data_ptr();
    // Always the same parts, whatever the number of threads, so that sums come out the same.
    const int64_t items = x.size(0) * rows.receivers;
    const int64_t parts = std::min<int64_t>(64, std::max<int64_t>(1, x.numel() / kGrain));
    auto partial = at::zeros({parts, 3, rows.width}, at::TensorOptions().dtype(type));
    const size_t part_bytes = compute_bytes(type, 3 * rows.width);
    char* partials = static_cast<char*>(partial.data_ptr());
    const RowKernels& kernels = kernels_of(x.scalar_type());
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      std::vector<char> buffer(compute_bytes(type, 3 * rows.width));
      for (int64_t part = begin; part < end; part++)
        kernels.norm_backward(rows, items * part / parts, items * (part + 1) / parts, buffer.data(), partials + part * part_bytes);
    });
    const auto total = partial.sum(0);
    at::Tensor dresidual;
    const int64_t residual = ctx->saved_data["residual"].toInt();
    if (residual != 0 && of_rows.defined()) dresidual = residual == 4 ? of_rows.sum(0) : residual == 7 && of_rows.size(0) > 1 ? of_rows.sum(0, true) : of_rows;
    const auto parameter = weight.scalar_type();
    return {dx, total[0].to(parameter), total[1].to(parameter), shift.defined() ? total[2].to(shift.scalar_type()) : at::Tensor(), dresidual, {}, {}, {}};
  }
};

// Number of rows that offsets divide.
int64_t rows_of(const at::Tensor& offsets) { return ints(offsets)[offsets.size(0) - 1]; }

MaybeTensor maybe(const at::Tensor& tensor) { return tensor.defined() ? MaybeTensor(tensor) : MaybeTensor(); }

at::Tensor floating(Instance& in, const Napi::CallbackInfo& info, size_t i, at::ScalarType type) {
  const double id = id_of(info, i);
  return id == 0 ? at::Tensor() : in.get(id).to(type).contiguous();
}

// graphEdgeSum(edge, sender, receiver, senders, receiverOffsets, senderOrder, senderOffsets, silu)
Napi::Value edge_sum(Instance& in, const Napi::CallbackInfo& info) {
  at::Tensor terms[3];
  for (size_t i = 0; i < 3; i++) terms[i] = in.get(id_of(info, i));
  const auto type = at::promote_types(at::promote_types(terms[0].scalar_type(), terms[1].scalar_type()), terms[2].scalar_type());
  for (auto& term : terms) term = term.to(type).contiguous();
  const Edges edges{in.get(id_of(info, 3)), in.get(id_of(info, 4)), in.get(id_of(info, 5)), in.get(id_of(info, 6))};
  check_ints(edges.senders, "senders");
  check_ints(edges.offsets, "receiver offsets");
  check_ints(edges.order, "sender order");
  check_ints(edges.sender_offsets, "sender offsets");
  const int64_t rows[3] = {edges.count(), edges.nodes(), edges.receivers()};
  const char* names[3] = {"edges", "senders", "receivers"};
  int64_t batch = 1;
  for (size_t i = 0; i < 3; i++) {
    const auto& term = terms[i];
    need(term.is_cpu() && (term.dim() == 2 || term.dim() == 3) && term.size(-2) == rows[i] && term.size(-1) == terms[0].size(-1),
         std::string("the term of ") + names[i] + " is " + describe(term) + ", expected (batch, " + std::to_string(rows[i]) + ", " +
             std::to_string(terms[0].size(-1)) + ") or without batch");
    if (term.dim() == 3) batch = std::max(batch, term.size(0));
  }
  for (const auto& term : terms) need(term.dim() == 2 || term.size(0) == batch || term.size(0) == 1, "the terms have different batch sizes");
  return Napi::Number::New(info.Env(), in.add(EdgeSum::apply(terms[0], terms[1], terms[2], edges.senders, edges.offsets, edges.order,
                                                            edges.sender_offsets, info[7].ToBoolean().Value())));
}

// graphSilu(first, second or 0)
Napi::Value silu(Instance& in, const Napi::CallbackInfo& info) {
  const at::Tensor& given = in.get(id_of(info, 0));
  const auto type = id_of(info, 1) == 0 ? given.scalar_type() : at::promote_types(given.scalar_type(), in.get(id_of(info, 1)).scalar_type());
  const at::Tensor first = given.to(type).contiguous();
  const at::Tensor second = floating(in, info, 1, type);
  need(first.is_cpu() && (!second.defined() || (second.is_cpu() && second.sizes() == first.sizes())),
       "silu of a sum takes two tensors of one shape on the CPU, got " + describe(first) + " and " + describe(second));
  return Napi::Number::New(info.Env(), in.add(Silu::apply(first, maybe(second))));
}

// graphNormSum(rows, weight, bias, shift or 0, residual or 0, offsets or 0, eps, wantRows) → ids
Napi::Value norm_sum(Instance& in, const Napi::CallbackInfo& info) {
  const at::Tensor x = in.get(id_of(info, 0)).contiguous();
  const at::Tensor weight = in.get(id_of(info, 1)), bias = in.get(id_of(info, 2));
  const at::Tensor shift = id_of(info, 3) == 0 ? at::Tensor() : in.get(id_of(info, 3));
  const at::Tensor residual = floating(in, info, 4, x.scalar_type());
  const at::Tensor offsets = id_of(info, 5) == 0 ? at::Tensor() : in.get(id_of(info, 5));
  for (const auto* tensor : {&x, &weight, &bias, &shift, &residual})
    need(!tensor->defined() || tensor->is_cpu(), "layer norm of rows on the CPU got " + describe(*tensor));
  need(x.dim() == 3 && weight.dim() == 1 && bias.sizes() == weight.sizes() && weight.size(0) == x.size(-1) &&
           (!shift.defined() || shift.sizes() == weight.sizes()),
       "layer norm of " + describe(x) + " with weight " + describe(weight));
  if (offsets.defined()) check_ints(offsets, "receiver offsets");
  if (offsets.defined()) need(offsets.size(0) > 0 && rows_of(offsets) == x.size(1), "there are " + std::to_string(rows_of(offsets)) + " edges for " + describe(x));
  need(!residual.defined() || ((residual.dim() == 2 || residual.dim() == 3) && residual.size(-2) == x.size(-2) && residual.size(-1) == x.size(-1) &&
                               (residual.dim() == 2 || residual.size(0) == x.size(0) || residual.size(0) == 1)),
       "the residual " + describe(residual) + " does not fit " + describe(x));
  return ids_to_js(in, NormSum::apply(x, weight, bias, maybe(shift), maybe(residual), maybe(offsets), info[6].As<Napi::Number>().DoubleValue(), info[7].ToBoolean().Value()));
}

}  // namespace

void define_graph(Instance& in, Napi::Object& exports) {
  define<edge_sum>(in, exports, "graphEdgeSum");
  define<silu>(in, exports, "graphSilu");
  define<norm_sum>(in, exports, "graphNormSum");
}

}  // namespace foehn

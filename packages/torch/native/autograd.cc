// Gradients: backward, grad, and the gradient slots of leaf tensors.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include "bind.h"

namespace foehn {
namespace {

std::vector<at::Tensor> seeds(const std::vector<at::Tensor>& outputs, std::vector<at::Tensor> grads) {
  if (grads.empty()) grads.resize(outputs.size());
  return grads;
}

// backward(outputs, grads | null, retainGraph, createGraph, inputs | null)
Napi::Value backward(Instance& in, const Napi::CallbackInfo& info) {
  auto outputs = tensors_of(in, info[0]);
  torch::autograd::backward(outputs, seeds(outputs, tensors_of(in, info[1])), info[2].ToBoolean().Value(), info[3].ToBoolean(), tensors_of(in, info[4]));
  return info.Env().Undefined();
}

// gradients(outputs, inputs, grads | null, retainGraph, createGraph, allowUnused) → ids, 0 for an unused input
Napi::Value gradients(Instance& in, const Napi::CallbackInfo& info) {
  auto outputs = tensors_of(in, info[0]);
  auto inputs = tensors_of(in, info[1]);
  auto out = torch::autograd::grad(outputs, inputs, seeds(outputs, tensors_of(in, info[2])), info[3].ToBoolean().Value(), info[4].ToBoolean(),
                                   info[5].ToBoolean());
  return ids_to_js(in, out);
}

Napi::Value set_grad(Instance& in, const Napi::CallbackInfo& info) {  // setGrad(id, gradient id or 0)
  const at::Tensor tensor = in.get(id_of(info, 0));
  const double gradient = id_of(info, 1);
  if (gradient == 0) {
    tensor.mutable_grad() = at::Tensor();
    return info.Env().Undefined();
  }
  const at::Tensor& value = in.get(gradient);
  if (value.sizes() != tensor.sizes() || value.device() != tensor.device())
    throw AddonError("ERR_TORCH_GRAD", "the gradient " + describe(value) + " does not fit the tensor " + describe(tensor));
  tensor.mutable_grad() = value;
  return info.Env().Undefined();
}

Napi::Value requires_grad(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), in.get(id_of(info, 0)).requires_grad());
}

Napi::Value set_requires_grad(Instance& in, const Napi::CallbackInfo& info) {
  const at::Tensor tensor = in.get(id_of(info, 0));
  tensor.set_requires_grad(info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value is_leaf(Instance& in, const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), in.get(id_of(info, 0)).is_leaf()); }

Napi::Value is_inference(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), in.get(id_of(info, 0)).is_inference());
}

Napi::Value grad_function(Instance& in, const Napi::CallbackInfo& info) {  // its name, for printing
  const auto& node = in.get(id_of(info, 0)).grad_fn();
  return node ? Napi::Value(Napi::String::New(info.Env(), node->name())) : info.Env().Null();
}

Napi::Value retain_grad(Instance& in, const Napi::CallbackInfo& info) {
  in.get(id_of(info, 0)).retain_grad();
  return info.Env().Undefined();
}

Napi::Value grad(Instance& in, const Napi::CallbackInfo& info) {
  const auto& tensor = in.get(id_of(info, 0));
  return Napi::Number::New(info.Env(), tensor.is_leaf() || tensor.retains_grad() ? in.add(tensor.grad()) : 0);
}

// setData(id, source): the tensor takes the source's memory, keeping its place in the graph (a parameter moving device)
Napi::Value set_data(Instance& in, const Napi::CallbackInfo& info) {
  const at::Tensor tensor = in.get(id_of(info, 0));
  tensor.set_data(in.get(id_of(info, 1)));
  return info.Env().Undefined();
}

Napi::Value version(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(in.get(id_of(info, 0))._version()));
}

}  // namespace

void define_autograd(Instance& in, Napi::Object& exports) {
  define<backward>(in, exports, "backward");
  define<gradients>(in, exports, "gradients");
  define<grad>(in, exports, "grad");
  define<set_grad>(in, exports, "setGrad");
  define<requires_grad>(in, exports, "requiresGrad");
  define<set_requires_grad>(in, exports, "setRequiresGrad");
  define<is_leaf>(in, exports, "isLeaf");
  define<is_inference>(in, exports, "isInference");
  define<grad_function>(in, exports, "gradFunction");
  define<retain_grad>(in, exports, "retainGrad");
  define<set_data>(in, exports, "setData");
  define<version>(in, exports, "version");
}

}  // namespace foehn

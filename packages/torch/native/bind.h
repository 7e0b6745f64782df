// How a C++ function becomes a JavaScript one: every exception is caught and turned into a JavaScript error.
#pragma once

#include <napi.h>

#include "instance.h"

namespace foehn {

struct Operator;

// Builds the TorchError of the exception being handled. `op` and `stack` may be null.
Napi::Error make_torch_error(Instance& in, const char* operator_name, const std::vector<std::pair<std::string, at::Tensor>>& tensors);

template <Napi::Value (*Fn)(Instance&, const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  auto& in = *static_cast<Instance*>(info.Data());
  try {
    return Fn(in, info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw make_torch_error(in, nullptr, {});
  }
}

template <Napi::Value (*Fn)(Instance&, const Napi::CallbackInfo&)>
void define(Instance& in, Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<Fn>>(in.env, name, &in));
}

inline double id_of(const Napi::CallbackInfo& info, size_t i) {
  double id = 0;
  napi_get_value_double(info.Env(), info[i], &id);
  return id;
}

inline double id_of(napi_env env, napi_value value) {
  double id = 0;
  napi_get_value_double(env, value, &id);
  return id;
}

std::vector<at::Tensor> tensors_of(Instance& in, Napi::Value list);  // ids; 0 or null is an undefined tensor
std::vector<int64_t> ints_of(Napi::Value list);
Napi::Array ids_to_js(Instance& in, const std::vector<at::Tensor>& tensors);

void define_dispatch(Instance& in, Napi::Object& exports);
void define_handles(Instance& in, Napi::Object& exports);
void define_tensor(Instance& in, Napi::Object& exports);
void define_guards(Instance& in, Napi::Object& exports);
void define_autograd(Instance& in, Napi::Object& exports);
void define_random(Instance& in, Napi::Object& exports);
void define_system(Instance& in, Napi::Object& exports);
void define_script(Instance& in, Napi::Object& exports);
void define_graph(Instance& in, Napi::Object& exports);

}  // namespace foehn

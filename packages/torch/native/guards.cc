// Gradient mode, inference mode and autocast: get, set, and the balanced calls that TypeScript wraps in try/finally.
#include "guards.h"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include "bind.h"
#include "compat.h"

namespace foehn {
namespace {

bool is_cuda(const Napi::CallbackInfo& info, size_t i) {
  const std::string name = info[i].As<Napi::String>();
  if (name == "cuda") return true;
  if (name == "cpu") return false;
  throw AddonError("ERR_TORCH_ARGUMENT", "autocast knows the devices \"cpu\" and \"cuda\", not \"" + name + "\"");
}

Napi::Value grad_enabled(Instance&, const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), c10::GradMode::is_enabled()); }

Napi::Value set_grad_enabled(Instance&, const Napi::CallbackInfo& info) {  // returns the previous mode
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(info[0].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

Napi::Value push_inference(Instance& in, const Napi::CallbackInfo& info) {
  in.inference.push_back(std::make_unique<InferenceHolder>(info[0].ToBoolean()));
  return info.Env().Undefined();
}

Napi::Value pop_inference(Instance& in, const Napi::CallbackInfo& info) {
  if (!in.inference.empty()) in.inference.pop_back();
  return info.Env().Undefined();
}

Napi::Value inference_enabled(Instance&, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), c10::InferenceMode::is_enabled());
}

bool autocast_on(bool cuda) {
#if FOEHN_TORCH_AT_LEAST(2, 4)
  return at::autocast::is_autocast_enabled(cuda ? at::kCUDA : at::kCPU);
#else
  return cuda ? at::autocast::is_enabled() : at::autocast::is_cpu_enabled();
#endif
}

at::ScalarType autocast_dtype(bool cuda) {
#if FOEHN_TORCH_AT_LEAST(2, 4)
  return at::autocast::get_autocast_dtype(cuda ? at::kCUDA : at::kCPU);
#else
  return cuda ? at::autocast::get_autocast_gpu_dtype() : at::autocast::get_autocast_cpu_dtype();
#endif
}

void set_autocast(bool cuda, bool on, at::ScalarType type) {
#if FOEHN_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_enabled(cuda ? at::kCUDA : at::kCPU, on);
  at::autocast::set_autocast_dtype(cuda ? at::kCUDA : at::kCPU, type);
#else
  if (cuda) {
    at::autocast::set_enabled(on);
    at::autocast::set_autocast_gpu_dtype(type);
  } else {
    at::autocast::set_cpu_enabled(on);
    at::autocast::set_autocast_cpu_dtype(type);
  }
#endif
}

Napi::Value state(Napi::Env env, bool on, at::ScalarType type) {
  auto out = Napi::Object::New(env);
  out.Set("enabled", on);
  out.Set("dtype", static_cast<double>(type));
  return out;
}

Napi::Value get_autocast(Instance&, const Napi::CallbackInfo& info) {
  const bool cuda = is_cuda(info, 0);
  return state(info.Env(), autocast_on(cuda), autocast_dtype(cuda));
}

// enterAutocast(device, enabled, dtype) → the state to give back to exitAutocast
Napi::Value enter_autocast(Instance&, const Napi::CallbackInfo& info) {
  const bool cuda = is_cuda(info, 0);
  auto before = state(info.Env(), autocast_on(cuda), autocast_dtype(cuda));
  set_autocast(cuda, info[1].ToBoolean(), static_cast<at::ScalarType>(info[2].ToNumber().Int32Value()));
  at::autocast::increment_nesting();
  return before;
}

Napi::Value exit_autocast(Instance&, const Napi::CallbackInfo& info) {
  // The outermost exit drops the weights cast so far: the next optimizer step changes them.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  set_autocast(is_cuda(info, 0), info[1].ToBoolean(), static_cast<at::ScalarType>(info[2].ToNumber().Int32Value()));
  return info.Env().Undefined();
}

}  // namespace

void define_guards(Instance& in, Napi::Object& exports) {
  define<grad_enabled>(in, exports, "gradEnabled");
  define<set_grad_enabled>(in, exports, "setGradEnabled");
  define<push_inference>(in, exports, "pushInference");
  define<pop_inference>(in, exports, "popInference");
  define<inference_enabled>(in, exports, "inferenceEnabled");
  define<get_autocast>(in, exports, "autocastState");
  define<enter_autocast>(in, exports, "enterAutocast");
  define<exit_autocast>(in, exports, "exitAutocast");
}

}  // namespace foehn

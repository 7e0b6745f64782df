// Module entry: makes the instance of this JavaScript thread and defines its functions; handle functions live here too.
#include <c10/util/Exception.h>
#include <c10/util/Logging.h>

#include "bind.h"
#include "compat.h"
#include "cuda.h"
#include "dispatch.h"
#include "guards.h"
#include "memory.h"
#include "script.h"

namespace foehn {

// "what" of libtorch ends in a C++ backtrace that helps no user.
static std::string without_backtrace(std::string text) {
  const auto at = text.find("\nException raised from ");
  if (at != std::string::npos) text.resize(at);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Napi::Error make_torch_error(Instance& in, const char* operator_name, const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  std::string code = "ERR_TORCH";
  std::string message = "unknown C++ exception";
  try {
    throw;
  } catch (const AddonError& e) {
    code = e.code;
    message = e.what();
  } catch (const c10::OutOfMemoryError& e) {
    code = "ERR_TORCH_OUT_OF_MEMORY";
    message = without_backtrace(e.what_without_backtrace());
  } catch (const c10::Error& e) {
    message = without_backtrace(e.what_without_backtrace());
    if (message.find("can't allocate memory") != std::string::npos) code = "ERR_TORCH_OUT_OF_MEMORY";
  } catch (const std::exception& e) {
    message = without_backtrace(e.what());
  } catch (...) {
  }
  Napi::Env env(in.env);
  Napi::Array described = Napi::Array::New(env);
  for (const auto& [name, tensor] : tensors) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("name", name);
    one.Set("dtype", tensor.defined() ? dtype_name(tensor.scalar_type()) : "none");
    Napi::Array shape = Napi::Array::New(env);
    try {
      uint32_t i = 0;
      if (tensor.defined()) for (int64_t size : tensor.sizes()) shape.Set(i++, static_cast<double>(size));
    } catch (...) {
    }
    one.Set("shape", shape);
    one.Set("device", tensor.defined() ? tensor.device().str() : "none");
    described.Set(described.Length(), one);
  }
  Napi::Value operator_value = operator_name ? Napi::Value(Napi::String::New(env, operator_name)) : env.Null();
  Napi::Value error = in.make_error.Call({Napi::String::New(env, code), Napi::String::New(env, message), operator_value, described});
  return Napi::Error(in.env, error);
}

std::vector<at::Tensor> tensors_of(Instance& in, Napi::Value value) {
  std::vector<at::Tensor> out;
  if (!value.IsArray()) return out;
  auto list = value.As<Napi::Array>();
  const uint32_t length = list.Length();
  out.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    Napi::Value item = list[i];
    const double id = item.IsNumber() ? item.As<Napi::Number>().DoubleValue() : 0;
    out.push_back(id == 0 ? at::Tensor() : in.get(id));
  }
  return out;
}

std::vector<int64_t> ints_of(Napi::Value value) {
  std::vector<int64_t> out;
  auto list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) out.push_back(Napi::Value(list[i]).ToNumber().Int64Value());
  return out;
}

Napi::Array ids_to_js(Instance& in, const std::vector<at::Tensor>& tensors) {
  auto out = Napi::Array::New(in.env, tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) out.Set(static_cast<uint32_t>(i), in.add(tensors[i]));
  return out;
}

namespace {

// setup(counters: Float64Array, makeError)
Napi::Value setup(Instance& in, const Napi::CallbackInfo& info) {
  auto counters = info[0].As<Napi::Float64Array>();
  if (counters.ElementLength() < kCounterLength) throw AddonError("ERR_TORCH_SETUP", "counters too short");
  in.counters = counters.Data();
  napi_create_reference(in.env, counters, 1, &in.counters_ref);
  in.make_error = Napi::Persistent(info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value release(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), in.release(id_of(info, 0), Gone::Disposed));
}

Napi::Value alive(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), in.find(id_of(info, 0)) != nullptr);
}

// closeScope(ids: Float64Array, count, escaping: number[]) frees what does not escape; those of `ids` that do escape are
// moved to its front, and their number is returned
Napi::Value close_scope(Instance& in, const Napi::CallbackInfo& info) {
  auto ids = info[0].As<Napi::Float64Array>();
  const size_t count = std::min<size_t>(info[1].As<Napi::Number>().Uint32Value(), ids.ElementLength());
  auto escaping = info[2].As<Napi::Array>();
  const uint32_t returned = escaping.Length();
  for (uint32_t i = 0; i < returned; i++)
    if (Slot* slot = in.find(id_of(in.env, Napi::Value(escaping[i])))) slot->escaping = true;
  size_t escaped = 0;
  double* data = ids.Data();
  for (size_t i = 0; i < count; i++) {
    Slot* slot = in.find(data[i]);
    if (slot == nullptr || slot->kept) continue;
    if (slot->escaping) data[escaped++] = data[i];
    else in.release(data[i], Gone::ByScope);
  }
  for (uint32_t i = 0; i < returned; i++)
    if (Slot* slot = in.find(id_of(in.env, Napi::Value(escaping[i])))) slot->escaping = false;
  return Napi::Number::New(info.Env(), static_cast<double>(escaped));
}

Napi::Value compact(Instance& in, const Napi::CallbackInfo& info) {  // drops dead ids, returns the new count
  auto ids = info[0].As<Napi::Float64Array>();
  const size_t count = std::min<size_t>(info[1].As<Napi::Number>().Uint32Value(), ids.ElementLength());
  double* data = ids.Data();
  size_t out = 0;
  for (size_t i = 0; i < count; i++)
    if (in.find(data[i]) != nullptr) data[out++] = data[i];
  return Napi::Number::New(info.Env(), static_cast<double>(out));
}

Napi::Value keep(Instance& in, const Napi::CallbackInfo& info) {
  in.slot(id_of(info, 0)).kept = true;
  return info.Env().Undefined();
}

Napi::Value share(Instance& in, const Napi::CallbackInfo& info) {  // a second handle to the same tensor
  return Napi::Number::New(info.Env(), in.add(in.get(id_of(info, 0))));
}

// flush(objects, ids: Float64Array, count): weak references for those still alive, then report memory
Napi::Value flush(Instance& in, const Napi::CallbackInfo& info) {
  auto objects = info[0].As<Napi::Array>();
  auto ids = info[1].As<Napi::Float64Array>();
  const uint32_t count = info[2].As<Napi::Number>().Uint32Value();
  const double* data = ids.Data();
  for (uint32_t i = 0; i < count; i++) {
    if (in.find(data[i]) == nullptr) continue;
    Napi::HandleScope scope(info.Env());
    napi_value object = nullptr;
    napi_get_element(in.env, objects, i, &object);
    in.track(data[i], object);
  }
  in.report_memory();
  in.drop_buffers();
  return info.Env().Undefined();
}

Napi::Value sweep(Instance& in, const Napi::CallbackInfo& info) {
  const size_t freed = in.sweep();
  in.report_memory();
  in.drop_buffers();
  return Napi::Number::New(info.Env(), static_cast<double>(freed));
}

}  // namespace

void define_handles(Instance& in, Napi::Object& exports) {
  define<setup>(in, exports, "setup");
  define<release>(in, exports, "release");
  define<alive>(in, exports, "alive");
  define<close_scope>(in, exports, "closeScope");
  define<compact>(in, exports, "compact");
  define<keep>(in, exports, "keep");
  define<share>(in, exports, "share");
  define<flush>(in, exports, "flush");
  define<sweep>(in, exports, "sweep");
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
#if !FOEHN_TORCH_AT_LEAST(2, 3)
  // Older versions write out the C++ stack for every exception, 6 ms each, and nobody sees it here.
  c10::SetStackTraceFetcher([]() { return std::string(); });
#endif
  load_cuda();
  install_cpu_cache();
  auto* in = new Instance(env);
  napi_set_instance_data(env, in, [](napi_env, void* data, void*) { static_cast<Instance*>(data)->close(); }, nullptr);
  define_handles(*in, exports);
  define_dispatch(*in, exports);
  define_tensor(*in, exports);
  define_guards(*in, exports);
  define_autograd(*in, exports);
  define_random(*in, exports);
  define_system(*in, exports);
  define_script(*in, exports);
  define_graph(*in, exports);
  return exports;
}

NODE_API_MODULE(foehn_torch, init)

}  // namespace foehn

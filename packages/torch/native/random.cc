// Random numbers: seeds, generator state, generators of one's own.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

#include "bind.h"

namespace foehn {
namespace {

uint64_t seed_of(const Napi::CallbackInfo& info, size_t i) {
  if (info[i].IsBigInt()) {
    bool lossless = false;
    return info[i].As<Napi::BigInt>().Uint64Value(&lossless);
  }
  return static_cast<uint64_t>(info[i].ToNumber().Int64Value());
}

at::Generator default_generator(const Napi::CallbackInfo& info, size_t i) {
  const c10::Device device(std::string(info[i].As<Napi::String>()));
  if (device.is_cpu()) return at::detail::getDefaultCPUGenerator();
  return at::globalContext().defaultGenerator(device);
}

at::Generator generator(Instance& in, const Napi::CallbackInfo& info, size_t i) {
  const auto index = info[i].ToNumber().Int64Value();
  if (index < 0 || static_cast<size_t>(index) >= in.generators.size()) throw AddonError("ERR_TORCH_ARGUMENT", "no such generator");
  return in.generators[static_cast<size_t>(index)];
}

// get_state and set_state are not atomic by themselves; other threads may draw numbers.
at::Tensor read_state(at::Generator g) {
  std::lock_guard<std::mutex> lock(g.mutex());
  return g.get_state();
}

void write_state(at::Generator g, const at::Tensor& state) {
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_state(state);
}

Napi::Value manual_seed(Instance&, const Napi::CallbackInfo& info) {  // every device, as PyTorch does
  at::manual_seed(seed_of(info, 0));
  return info.Env().Undefined();
}

Napi::Value rng_state(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), in.add(read_state(default_generator(info, 0))));
}

Napi::Value set_rng_state(Instance& in, const Napi::CallbackInfo& info) {
  write_state(default_generator(info, 0), in.get(id_of(info, 1)));
  return info.Env().Undefined();
}

Napi::Value new_generator(Instance& in, const Napi::CallbackInfo& info) {  // newGenerator(device)
  const c10::Device device(std::string(info[0].As<Napi::String>()));
  if (device.is_cpu()) {
    in.generators.push_back(at::detail::createCPUGenerator());
  } else {
    at::Generator base = at::globalContext().defaultGenerator(device);
    std::lock_guard<std::mutex> lock(base.mutex());
    in.generators.push_back(base.clone());
  }
  return Napi::Number::New(info.Env(), static_cast<double>(in.generators.size() - 1));
}

Napi::Value generator_seed(Instance& in, const Napi::CallbackInfo& info) {
  at::Generator g = generator(in, info, 0);
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_current_seed(seed_of(info, 1));
  return info.Env().Undefined();
}

Napi::Value generator_state(Instance& in, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), in.add(read_state(generator(in, info, 0))));
}

Napi::Value set_generator_state(Instance& in, const Napi::CallbackInfo& info) {
  write_state(generator(in, info, 0), in.get(id_of(info, 1)));
  return info.Env().Undefined();
}

}  // namespace

void define_random(Instance& in, Napi::Object& exports) {
  define<manual_seed>(in, exports, "manualSeed");
  define<rng_state>(in, exports, "rngState");
  define<set_rng_state>(in, exports, "setRngState");
  define<new_generator>(in, exports, "newGenerator");
  define<generator_seed>(in, exports, "generatorSeed");
  define<generator_state>(in, exports, "generatorState");
  define<set_generator_state>(in, exports, "setGeneratorState");
}

}  // namespace foehn

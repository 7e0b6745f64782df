// Facts about the machine and the library, and threads.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/api/include/torch/cuda.h>
#include <torch/version.h>

#include "bind.h"
#include "compat.h"
#include "cuda.h"
#include "memory.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

namespace foehn {
namespace {

Napi::Value versions(Instance&, const Napi::CallbackInfo& info) {
  auto out = Napi::Object::New(info.Env());
  out.Set("libtorch", TORCH_VERSION);
  out.Set("operators", static_cast<double>(c10::Dispatcher::singleton().getAllOpNames().size()));
  out.Set("mkldnn", at::hasMKLDNN());
  out.Set("openmp", at::hasOpenMP());
  out.Set("mkl", at::hasMKL());
  out.Set("details", at::show_config());
  out.Set("parallel", at::get_parallel_info());
  if (!cuda_problem().empty()) out.Set("cudaProblem", cuda_problem());
  if (at::hasCUDA()) {
    // The runtime version as 12040 is only in libtorch's text, since no CUDA header is needed to build this addon.
    const std::string text = at::show_config();
    const auto at = text.find("CUDA Runtime ");
    const auto end = text.find_first_of(",\n ", at == std::string::npos ? 0 : at + 13);
    out.Set("cuda", at == std::string::npos ? std::string("yes") : text.substr(at + 13, end - at - 13));
  } else {
    out.Set("cuda", info.Env().Null());
  }
  return out;
}

Napi::Value cpu_flags(Instance&, const Napi::CallbackInfo& info) {
  bool avx2 = false, avx512 = false, bf16 = false, amx = false, amx_bf16 = false;
#if defined(__x86_64__) && defined(__GNUC__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  uint64_t enabled = 0;  // register sets the operating system saves: without them the instructions trap
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 27))) {
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    enabled = (static_cast<uint64_t>(high) << 32) | low;
  }
  const bool ymm = (enabled & 0x6) == 0x6, zmm = (enabled & 0xe6) == 0xe6, tiles = (enabled & 0x60000) == 0x60000;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    avx2 = ymm && (b & (1u << 5));
    avx512 = zmm && (b & (1u << 16));
    amx = tiles && (d & (1u << 24));
    amx_bf16 = amx && (d & (1u << 22));
  }
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) bf16 = zmm && (a & (1u << 5));
#endif
  auto out = Napi::Object::New(info.Env());
  out.Set("avx2", avx2);
  out.Set("avx512", avx512);
  out.Set("avx512Bf16", bf16);
  out.Set("amx", amx);
  out.Set("amxBf16", amx_bf16);
  return out;
}

Napi::Value num_threads(Instance&, const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), at::get_num_threads()); }

Napi::Value set_num_threads(Instance&, const Napi::CallbackInfo& info) {
  at::set_num_threads(info[0].ToNumber().Int32Value());
  return info.Env().Undefined();
}

Napi::Value cuda_available(Instance&, const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), torch::cuda::is_available()); }

Napi::Value cuda_count(Instance&, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(torch::cuda::device_count()));
}

Napi::Value cuda_synchronize(Instance&, const Napi::CallbackInfo& info) {
  torch::cuda::synchronize(info[0].IsNumber() ? info[0].ToNumber().Int64Value() : -1);
  return info.Env().Undefined();
}

// setFlag(name, on): the switches of at::Context that decide speed against repeatability
Napi::Value set_flag(Instance&, const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  const bool on = info[1].ToBoolean();
  auto& context = at::globalContext();
  if (name == "deterministic") context.setDeterministicAlgorithms(on, false);
  else if (name == "mkldnn") context.setUserEnabledMkldnn(on);
  else if (name == "cudnnBenchmark") context.setBenchmarkCuDNN(on);
  else if (name == "cudnnDeterministic") context.setDeterministicCuDNN(on);
  else if (name == "flushDenormal") at::globalContext().setFlushDenormal(on);
  else throw AddonError("ERR_TORCH_ARGUMENT", "no switch named " + name);
  return info.Env().Undefined();
}

Napi::Value set_tf32(Instance&, const Napi::CallbackInfo& info) {
  const bool on = info[0].ToBoolean();
  at::globalContext().setAllowTF32CuBLAS(on);
  at::globalContext().setAllowTF32CuDNN(on);
  return info.Env().Undefined();
}

Napi::Value cached_bytes(Instance&, const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(cached_cpu_bytes()));
}

Napi::Value empty_cache(Instance&, const Napi::CallbackInfo& info) {
  trim_cpu_cache(true);
  return info.Env().Undefined();
}

}  // namespace

void define_system(Instance& in, Napi::Object& exports) {
  define<versions>(in, exports, "versions");
  define<cpu_flags>(in, exports, "cpuFlags");
  define<num_threads>(in, exports, "numThreads");
  define<set_num_threads>(in, exports, "setNumThreads");
  define<cuda_available>(in, exports, "cudaAvailable");
  define<cuda_count>(in, exports, "cudaCount");
  define<cuda_synchronize>(in, exports, "cudaSynchronize");
  define<set_flag>(in, exports, "setFlag");
  define<cached_bytes>(in, exports, "cachedBytes");
  define<empty_cache>(in, exports, "emptyCache");
  define<set_tf32>(in, exports, "setTf32");
}

}  // namespace foehn

// The state of one loaded addon (one per JavaScript thread): the table of tensor handles, the operators looked up so far,
// and the link back to the TypeScript half. Nothing here is global, so the addon loads in several worker threads.
//
// A tensor is known to JavaScript by a number: slot + generation * 2^24. A slot is used again only under a new generation,
// so a number that outlived its tensor is recognised. Weak references to the JavaScript objects are made in batches
// (`flush`), because most tensors are disposed by a scope before that would be worth while.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/util/flat_hash_map.h>
#include <napi.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace foehn {

struct Operator;  // dispatch.h
struct ScriptState;

// An error of this addon itself (not libtorch's), with a stable code.
struct AddonError : std::runtime_error {
  AddonError(std::string code_, const std::string& message) : std::runtime_error(message), code(std::move(code_)) {}
  std::string code;
};

enum class Gone : uint8_t { No, Disposed, ByScope, Collected };

struct Slot {
  at::Tensor tensor;
  const void* storage = nullptr;  // what was counted for it
  double generation = 0;
  int32_t op = -1;           // the operator that made it, for messages
  bool alive = false;
  bool kept = false;         // torch.keep: no scope frees it
  bool escaping = false;     // returned from the scope that is just closing
  Gone gone = Gone::No;
  napi_ref weak = nullptr;   // to the JavaScript object, once flushed
  at::ScalarType dtype = at::ScalarType::Undefined;  // what it was, kept after disposal for the message
  std::vector<int64_t> sizes;
};

// References to ArrayBuffers that tensors were made over. libtorch may free such a tensor on any thread, even after the
// JavaScript thread has ended; the reference may only be dropped on the thread that made it.
struct BufferKeeper {
  std::mutex mutex;
  std::vector<napi_ref> dropped;
  bool closed = false;
  std::thread::id owner = std::this_thread::get_id();
};

enum Counter { kPendingBytes, kLiveTensors, kLiveBytes, kPeakBytes, kCreated, kCollected, kScratch = 8 };
constexpr size_t kCounterLength = 8 + 64;  // counters, then room for the sizes or strides of one tensor

class Instance {
 public:
  explicit Instance(Napi::Env env);
  Instance(const Instance&) = delete;

  napi_env env;
  double* counters = nullptr;  // a Float64Array that both sides see
  napi_ref counters_ref = nullptr;
  Napi::FunctionReference make_error;
  std::shared_ptr<BufferKeeper> buffers = std::make_shared<BufferKeeper>();
  std::vector<std::unique_ptr<Operator>> operators;
  std::unordered_map<std::string, int32_t> operator_ids;
  std::vector<at::Generator> generators;
  std::vector<std::unique_ptr<ScriptState>> scripts;
  std::vector<std::unique_ptr<struct InferenceHolder>> inference;

  double add(at::Tensor tensor, int32_t op = -1);  // 0 for an undefined tensor
  const at::Tensor& get(double id);
  Slot& slot(double id);
  Slot* find(double id) noexcept;
  bool release(double id, Gone reason) noexcept;
  void track(double id, napi_value object);
  size_t sweep();
  void report_memory();
  void drop_buffers();
  void close();      // the JavaScript thread ends: frees all tensors, and this object once no finalizer refers to it
  void collected(double id);  // a finalizer has run

 private:
  std::deque<Slot> slots_;  // a deque: a Slot keeps its address
  std::deque<uint32_t> free_;
  struct Held { uint32_t count; int64_t bytes; };
  ska::flat_hash_map<const void*, Held> storages_;
  int64_t reported_ = 0;  // bytes V8 knows of
  double high_[2] = {0, 0};  // most live bytes in this and in the last period
  std::chrono::steady_clock::time_point period_ = std::chrono::steady_clock::now();
  int64_t finalizers_ = 0;
  bool closed_ = false;
  const void* hold(const at::Tensor& tensor);
  void unhold(const void* storage) noexcept;
};

std::string describe(const at::Tensor& tensor);
const char* dtype_name(at::ScalarType type);

}  // namespace foehn

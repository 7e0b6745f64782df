// The handle table: ids, reference counts of storages, weak references, memory reported to V8.
#include "instance.h"

#include <c10/core/StorageImpl.h>

#include <sstream>

#include "dispatch.h"
#include "script.h"
#include "guards.h"

namespace foehn {

namespace {
constexpr double kSlotBits = 16777216.0;  // 2^24 live tensors
constexpr size_t kRestBeforeReuse = 1024; // a freed slot rests so long that a late use can still be explained well

const void* storage_key(const at::Tensor& tensor, int64_t& bytes) noexcept {
  if (!tensor.defined() || !tensor.has_storage()) return nullptr;
  const auto* storage = tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl();
  if (storage == nullptr) return nullptr;
  bytes = static_cast<int64_t>(storage->nbytes());
  return storage;
}
}  // namespace

Instance::Instance(Napi::Env e) : env(e) {
  slots_.emplace_back();  // slot 0 is never given out
}

void Instance::close() {
  {
    std::lock_guard<std::mutex> lock(buffers->mutex);
    buffers->closed = true;  // from here on nothing of JavaScript may be touched
  }
  closed_ = true;
  slots_.clear();
  scripts.clear();
  generators.clear();
  inference.clear();
  if (finalizers_ == 0) delete this;
}

const void* Instance::hold(const at::Tensor& tensor) {
  int64_t bytes = 0;
  const void* key = storage_key(tensor, bytes);
  if (key == nullptr) return nullptr;
  auto found = storages_.find(key);
  if (found != storages_.end()) {
    found->second.count++;
    return key;
  }
  storages_.emplace(key, Held{1, bytes});
  counters[kPendingBytes] += static_cast<double>(bytes);
  counters[kLiveBytes] += static_cast<double>(bytes);
  if (counters[kLiveBytes] > counters[kPeakBytes]) counters[kPeakBytes] = counters[kLiveBytes];
  return key;
}

void Instance::unhold(const void* key) noexcept {
  if (key == nullptr) return;
  auto found = storages_.find(key);
  if (found == storages_.end()) return;
  if (--found->second.count > 0) return;
  counters[kLiveBytes] -= static_cast<double>(found->second.bytes);
  storages_.erase(found);
}

double Instance::add(at::Tensor tensor, int32_t op) {
  if (!tensor.defined()) return 0;
  uint32_t index;
  if (free_.size() > kRestBeforeReuse) {
    index = free_.front();
    free_.pop_front();
  } else {
    index = static_cast<uint32_t>(slots_.size());
    if (index >= kSlotBits) throw AddonError("ERR_TORCH_HANDLES", "more than 16 million live tensors; dispose some, or use torch.scope");
    slots_.emplace_back();
  }
  Slot& slot = slots_[index];
  slot.storage = hold(tensor);
  slot.tensor = std::move(tensor);
  slot.generation += 1;
  slot.op = op;
  slot.alive = true;
  slot.kept = slot.escaping = false;
  slot.gone = Gone::No;
  counters[kLiveTensors] += 1;
  counters[kCreated] += 1;
  return slot.generation * kSlotBits + index;
}

Slot* Instance::find(double id) noexcept {
  if (!(id > 0) || closed_) return nullptr;
  const auto whole = static_cast<uint64_t>(id);
  const auto index = static_cast<size_t>(whole & 0xffffff);
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.alive && slot.generation == static_cast<double>(whole >> 24) ? &slot : nullptr;
}

Slot& Instance::slot(double id) {
  if (Slot* found = find(id)) return *found;
  std::ostringstream text;
  const auto whole = static_cast<uint64_t>(id > 0 ? id : 0);
  const auto index = static_cast<size_t>(whole & 0xffffff);
  const bool known = index > 0 && index < slots_.size() && slots_[index].generation == static_cast<double>(whole >> 24);
  text << "this tensor";
  if (known) {
    const Slot& was = slots_[index];
    text << " (" << dtype_name(was.dtype) << "[";
    for (size_t i = 0; i < was.sizes.size(); i++) text << (i ? ", " : "") << was.sizes[i];
    text << "]";
    if (was.op >= 0) text << ", result of " << operators[was.op]->name;
    text << ")";
    text << (was.gone == Gone::ByScope ? " was freed at the end of the torch.scope it was created in; return it from the scope, or take it out with torch.keep(t)"
             : was.gone == Gone::Collected ? " was already collected"
                                           : " was disposed; use it before dispose(), or dispose() later");
  } else {
    text << " was disposed; use it before dispose(), return it from its torch.scope, or take it out with torch.keep(t)";
  }
  throw AddonError("ERR_TORCH_DISPOSED", text.str());
}

const at::Tensor& Instance::get(double id) { return slot(id).tensor; }

bool Instance::release(double id, Gone reason) noexcept {
  Slot* found = find(id);
  if (found == nullptr) return false;
  if (found->weak != nullptr) {
    napi_delete_reference(env, found->weak);  // its finalizer never runs
    found->weak = nullptr;
    finalizers_--;
  }
  const double before = counters[kLiveBytes];
  unhold(found->storage);
  found->storage = nullptr;
  if (reason == Gone::Collected)
    for (double& high : high_) high -= before - counters[kLiveBytes];  // V8 made this room: it shall see it
  found->dtype = found->tensor.scalar_type();
  try {
    const auto sizes = found->tensor.sizes();
    found->sizes.assign(sizes.begin(), sizes.end());
  } catch (...) {
    found->sizes.clear();  // nested and symbolic tensors have no plain sizes
  }
  found->tensor.reset();
  found->alive = false;
  found->gone = reason;
  free_.push_back(static_cast<uint32_t>(static_cast<uint64_t>(id) & 0xffffff));
  counters[kLiveTensors] -= 1;
  return true;
}

// The finalizer's data is the id itself; 53 bits fit a pointer.
static void finalize(napi_env, void* data, void* hint) {
  auto* instance = static_cast<Instance*>(hint);
  instance->collected(static_cast<double>(reinterpret_cast<uintptr_t>(data)));
}

void Instance::collected(double id) {
  if (find(id) != nullptr) {
    // The reference is deleted in its own finalizer, which is allowed; `release` counts that as one finalizer less.
    release(id, Gone::Collected);
    counters[kCollected] += 1;
    return;
  }
  finalizers_--;
  if (closed_ && finalizers_ == 0) delete this;
}

void Instance::track(double id, napi_value object) {
  Slot* found = find(id);
  if (found == nullptr || found->weak != nullptr) return;
  void* data = reinterpret_cast<void*>(static_cast<uintptr_t>(id));
  if (napi_add_finalizer(env, object, data, finalize, this, &found->weak) != napi_ok) found->weak = nullptr;
  else finalizers_++;
}

// Node runs finalizers only between turns of the event loop. A long loop without a pause would keep everything; so, when
// memory has grown, look for objects that the garbage collector has already found dead.
size_t Instance::sweep() {
  Napi::HandleScope scope(env);
  size_t freed = 0;
  for (size_t index = 1; index < slots_.size(); index++) {
    Slot& slot = slots_[index];
    if (!slot.alive || slot.weak == nullptr) continue;
    Napi::HandleScope inner(env);
    napi_value object = nullptr;
    if (napi_get_reference_value(env, slot.weak, &object) != napi_ok || object != nullptr) continue;
    if (release(slot.generation * kSlotBits + static_cast<double>(index), Gone::Collected)) freed++;
  }
  counters[kCollected] += static_cast<double>(freed);
  return freed;
}

// V8 collects garbage whenever external memory has grown by 64 MB. A training step that allocates a gigabyte and frees it
// again, every quarter of a second, would set off several collections each time although there is nothing to collect. So V8
// is told the most that was live of late: it sees growth at once, and a fall only when it has lasted.
void Instance::report_memory() {
  using namespace std::chrono_literals;
  counters[kPendingBytes] = 0;
  const double live = counters[kLiveBytes];
  const auto now = std::chrono::steady_clock::now();
  if (now - period_ > 750ms) {
    high_[1] = now - period_ > 1500ms ? live : high_[0];
    high_[0] = live;
    period_ = now;
  }
  high_[0] = std::max(high_[0], live);
  const auto target = static_cast<int64_t>(std::max(high_[0], high_[1]));
  if (target == reported_) return;
  int64_t total = 0;
  const int64_t change = target - reported_;
  reported_ = target;
  napi_adjust_external_memory(env, change, &total);
}

void Instance::drop_buffers() {
  std::vector<napi_ref> dropped;
  {
    std::lock_guard<std::mutex> lock(buffers->mutex);
    dropped.swap(buffers->dropped);
  }
  for (napi_ref ref : dropped) napi_delete_reference(env, ref);
}

const char* dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return "float32";
    case at::kDouble: return "float64";
    case at::kHalf: return "float16";
    case at::kBFloat16: return "bfloat16";
    case at::kChar: return "int8";
    case at::kByte: return "uint8";
    case at::kShort: return "int16";
    case at::kInt: return "int32";
    case at::kLong: return "int64";
    case at::kBool: return "bool";
    case at::kComplexFloat: return "complex64";
    case at::kComplexDouble: return "complex128";
    default: return c10::toString(type);
  }
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "none";
  std::ostringstream text;
  text << dtype_name(tensor.scalar_type()) << "[";
  try {
    const auto sizes = tensor.sizes();
    for (size_t i = 0; i < sizes.size(); i++) text << (i ? ", " : "") << sizes[i];
  } catch (...) {
    text << "?";
  }
  text << "]";
  if (!tensor.is_cpu()) text << " on " << tensor.device().str();
  return text.str();
}

}  // namespace foehn

// A caching allocator for large CPU tensors. libtorch takes each one from the system and gives it back; the system then
// clears every page again, which is 10 to 25 % of a training step. Here freed blocks wait for the next tensor of about
// their size, in huge pages where the system has them. Small tensors go to libtorch's own allocator.
// What waits is bounded: a quarter of the memory that this process may use; and blocks older than some seconds go when the next is freed.
#include "memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace foehn {

#if defined(__linux__)
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLarge = size_t{256} << 10;  // from here on blocks are cached
constexpr size_t kGrain = size_t{16} << 10;   // sizes are rounded up to this
constexpr size_t kHugePage = size_t{2} << 20;
constexpr auto kPatience = std::chrono::seconds(10);

struct Block {
  void* memory;
  Clock::time_point since;
};

// Bytes of memory of the machine, or of the container where that is less (control groups, versions 2 and 1); 0 where nobody says.
size_t usable_memory() {
  const auto pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t usable = pages > 0 && page > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(page) : 0;
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    FILE* file = std::fopen(path, "r");
    if (file == nullptr) continue;
    unsigned long long limit = 0;  // without a limit the file says "max"
    if (std::fscanf(file, "%llu", &limit) == 1 && limit > 0 && usable > 0) usable = std::min<size_t>(usable, limit);
    std::fclose(file);
  }
  return usable;
}

class CpuCache {
 public:
  CpuCache() {
    if (const size_t usable = usable_memory()) limit_ = usable / 4;
  }

  void* take(size_t size) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      // The smallest block that fits, if it wastes no more than an eighth.
      const auto found = waiting_.lower_bound(size);
      if (found != waiting_.end() && found->first <= size + size / 8) {
        void* memory = found->second.memory;
        bytes_ -= found->first;
        in_use_.emplace(memory, found->first);
        waiting_.erase(found);
        return memory;
      }
    }
    void* memory = map(size);
    if (memory == nullptr) {
      trim(true);
      memory = map(size);
      if (memory == nullptr) return nullptr;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    in_use_.emplace(memory, size);
    return memory;
  }

  bool give_back(void* memory) {  // false: it is none of these
    const auto now = Clock::now();
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = in_use_.find(memory);
    if (found == in_use_.end()) return false;
    const size_t size = found->second;
    in_use_.erase(found);
    waiting_.emplace(size, Block{memory, now});
    bytes_ += size;
    if (bytes_ > limit_ || now - trimmed_ > kPatience / 4) drop(now, false);
    return true;
  }

  void trim(bool all) {
    std::lock_guard<std::mutex> lock(mutex_);
    drop(Clock::now(), all);
  }

  size_t bytes() {
    std::lock_guard<std::mutex> lock(mutex_);
    return bytes_;
  }

 private:
  std::mutex mutex_;
  std::multimap<size_t, Block> waiting_;
  std::map<void*, size_t> in_use_;
  size_t bytes_ = 0;
  size_t limit_ = size_t{1} << 30;
  Clock::time_point trimmed_ = Clock::now();

  static void* map(size_t size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    if (size >= 2 * kHugePage) madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }

  // Old blocks, then the largest ones until the rest is within bounds.
  void drop(Clock::time_point now, bool all) {
    trimmed_ = now;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (!all && now - at->second.since < kPatience) { ++at; continue; }
      at = erase(at);
    }
    while (bytes_ > limit_ && !waiting_.empty()) erase(std::prev(waiting_.end()));
  }

  std::multimap<size_t, Block>::iterator erase(std::multimap<size_t, Block>::iterator at) {
    munmap(at->second.memory, at->first);
    bytes_ -= at->first;
    return waiting_.erase(at);
  }
};

CpuCache& cache() {
  static auto* one = new CpuCache;  // never destroyed: tensors of other statics may come back later
  return *one;
}

at::DeleterFnPtr small_deleter = nullptr;

// oneDNN frees by address alone, small blocks as well, and some that are older than this allocator.
void give_back(void* memory) {
  if (!cache().give_back(memory)) small_deleter(memory);
}

// `allocate` is const in older versions and not in newer ones; `copy_data` is pure virtual in newer ones only. Both forms are
// there, so whichever the base class has is overridden.
struct CachingAllocator final : at::Allocator {
  at::Allocator* small = c10::GetDefaultCPUAllocator();

  at::DataPtr allocate(size_t size) { return get(size); }
  at::DataPtr allocate(size_t size) const { return get(size); }
  at::DeleterFnPtr raw_deleter() const { return &give_back; }
  void copy_data(void* to, const void* from, size_t count) const { std::memcpy(to, from, count); }

 private:
  at::DataPtr get(size_t size) const {
    if (size < kLarge) return small->allocate(size);
    // A size near the end of the range would wrap around; libtorch's own allocator refuses it with a proper message.
    const size_t rounded = size > SIZE_MAX - kGrain ? 0 : (size + kGrain - 1) / kGrain * kGrain;
    void* memory = rounded == 0 ? nullptr : cache().take(rounded);
    if (memory == nullptr) return small->allocate(size);
    return {memory, memory, &give_back, at::Device(at::DeviceType::CPU)};
  }
};

}  // namespace

void install_cpu_cache() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* off = std::getenv("FOEHN_TORCH_CPU_CACHE");
    if (off != nullptr && std::strcmp(off, "0") == 0) return;
    small_deleter = c10::GetDefaultCPUAllocator()->raw_deleter();
    c10::SetCPUAllocator(new CachingAllocator, 1);
  });
}

size_t cached_cpu_bytes() { return cache().bytes(); }
void trim_cpu_cache(bool all) { cache().trim(all); }

#else

void install_cpu_cache() {}
size_t cached_cpu_bytes() { return 0; }
void trim_cpu_cache(bool) {}

#endif

}  // namespace foehn

// Large blocks of CPU memory, kept for the next tensor of their size.
#pragma once

#include <cstddef>

namespace foehn {

void install_cpu_cache();       // once per process
size_t cached_cpu_bytes();      // kept and not in use
void trim_cpu_cache(bool all);  // gives back what has lain unused for a while, or everything

}  // namespace foehn

// libtorch_cuda registers its kernels when it is loaded; nothing here is linked to it. Where it lies beside libtorch_cpu and
// CUDA's own libraries are missing, the CPU goes on working and the reason is kept for `version()`.
#include "cuda.h"

#include <ATen/ATen.h>

#ifndef _WIN32
#include <dlfcn.h>
#include <sys/stat.h>
#endif

#include <mutex>

namespace foehn {

static std::string problem;

void load_cuda() {
#ifndef _WIN32
  static std::once_flag once;
  std::call_once(once, [] {
    Dl_info where;
    if (dladdr(reinterpret_cast<void*>(&at::globalContext), &where) == 0 || where.dli_fname == nullptr) return;
    std::string folder = where.dli_fname;
    folder.resize(folder.find_last_of('/') + 1);
    const std::string file = folder + "libtorch_cuda.so";
    struct stat found;
    if (stat(file.c_str(), &found) != 0) return;
    if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) problem = dlerror();
  });
#endif
}

const std::string& cuda_problem() { return problem; }

}  // namespace foehn

// The few places where libtorch's C++ interface differs between 1.13 and the newest 2.x.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/List.h>
#include <torch/version.h>

#define FOEHN_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#if FOEHN_TORCH_AT_LEAST(2, 5)
#include <optional>
#else
#include <c10/util/Optional.h>
#endif

namespace foehn {

#if FOEHN_TORCH_AT_LEAST(2, 5)
template <class T>
using Optional = std::optional<T>;
#else
template <class T>
using Optional = c10::optional<T>;
#endif

inline int64_t symint_value(const c10::SymInt& value) {
#if FOEHN_TORCH_AT_LEAST(2, 0)
  return value.guard_int(__FILE__, __LINE__);
#else
  return value.expect_int();
#endif
}

}  // namespace foehn

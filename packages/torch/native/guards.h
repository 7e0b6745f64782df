// Thread-wide modes that TypeScript switches on and off around a function.
#pragma once

#include <c10/core/InferenceMode.h>

namespace foehn {

struct InferenceHolder {
  explicit InferenceHolder(bool on) : mode(on) {}
  c10::InferenceMode mode;
};

}  // namespace foehn

// TorchScript modules held by number, as tensors are.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <memory>

namespace foehn {

struct ScriptState {
  explicit ScriptState(torch::jit::Module m) : module(std::move(m)) {}
  torch::jit::Module module;
};

}  // namespace foehn

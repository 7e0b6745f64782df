// CUDA where this libtorch has it.
#pragma once

#include <string>

namespace foehn {

void load_cuda();                   // once per process; does nothing for a CPU build of libtorch
const std::string& cuda_problem();  // why libtorch_cuda is there and could not be loaded; empty otherwise

}  // namespace foehn

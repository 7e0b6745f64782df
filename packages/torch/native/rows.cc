// Which of the compiled row functions this processor runs.
#include "rows.h"

namespace foehn {

const RowFunctions& row_functions() {
#if defined(__x86_64__)
  static const RowFunctions& chosen = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? rows_avx512
                                      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")       ? rows_avx2
                                                                                                              : rows_any;
  return chosen;
#else
  return rows_any;
#endif
}

}  // namespace foehn

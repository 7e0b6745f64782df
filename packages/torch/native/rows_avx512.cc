// The loops of rows.inc for processors with AVX-512; CMakeLists.txt gives the flags.
#if defined(__x86_64__)
#define FOEHN_ROWS rows_avx512
#include "rows.inc"
#endif

// The loops of rows.inc for processors with AVX2 and FMA; CMakeLists.txt gives the flags.
#if defined(__x86_64__)
#define FOEHN_ROWS rows_avx2
#include "rows.inc"
#endif

// The loops of rows.inc for any processor; CMakeLists.txt gives the flags.
#define FOEHN_ROWS rows_any
#include "rows.inc"

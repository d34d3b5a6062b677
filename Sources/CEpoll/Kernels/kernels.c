/*
 * The kernels are inline functions of Kernels/kernels.h; this file compiles the header by itself.
 */
#include "Kernels/kernels.h"

#include "Kernels/kernels.h"

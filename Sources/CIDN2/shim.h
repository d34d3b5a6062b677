/* What Swift sees of the system's libidn2. */
#include <idn2.h>

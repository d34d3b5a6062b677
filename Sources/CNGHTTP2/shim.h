/* What Swift sees of the system's nghttp2. */
#include <malloc.h>
#include <sys/types.h>
#include <nghttp2/nghttp2.h>

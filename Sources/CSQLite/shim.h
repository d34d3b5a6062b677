/* What Swift sees of the system's SQLite. */
#include <sqlite3.h>

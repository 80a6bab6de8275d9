/* analyzer.h - what clang's analyser cannot see, for tools/lint only.
 *
 * It looks at one file at a time and does not know that these always return
 * -1, so every early return would look like success to it. */
#ifndef MXC_TOOLS_ANALYZER_H
#define MXC_TOOLS_ANALYZER_H

#include "base/err.h"
#include "contract/walk.h"

#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_ctx(...) (err_ctx(__VA_ARGS__), -1)
#define walk_fail(...) (walk_fail(__VA_ARGS__), -1)

#endif

/* clause.c - see clause.h. */
#include "plan/clause.h"

const char *clause_name(enum clause c)
{
    static const char *const names[] = {
#define X(id, clause, by) [CLAUSE_##id] = (clause),
        CLAUSES(X)
#undef X
    };

    return names[c];
}

const char *clause_by(enum clause c)
{
    static const char *const mechanisms[] = {
#define X(id, clause, by) [CLAUSE_##id] = (by),
        CLAUSES(X)
#undef X
    };

    return mechanisms[c];
}

const char *clause_reason(enum clause_reason r)
{
    static const char *const texts[] = {
#define X(id, text) [REASON_##id] = (text),
        CLAUSE_REASONS(X)
#undef X
    };

    return texts[r];
}

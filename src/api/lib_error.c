/* lib_error.c - errors as values, and structures that may grow. */
#include <stddef.h>
#include <string.h>

#include "api/lib.h"
#include "base/report.h"

/* The caller's view of an error is the one that the whole program has. */
_Static_assert((int)MXC_POLICY_VALIDATION == (int)ERR_POLICY_VALIDATION &&
                   (int)MXC_BACKEND_ERROR == (int)ERR_BACKEND_ERROR &&
                   (int)MXC_UNSUPPORTED_PHASE == (int)ERR_UNSUPPORTED_PHASE,
               "one list of numbers");
_Static_assert(sizeof(((struct mxc_error *)0)->message) ==
                       sizeof(((struct err *)0)->msg) &&
                   sizeof(((struct mxc_error *)0)->hint) ==
                       sizeof(((struct err *)0)->hint) &&
                   sizeof(((struct mxc_error *)0)->where) ==
                       sizeof(((struct err *)0)->where) &&
                   sizeof(((struct mxc_error *)0)->operation) ==
                       sizeof(((struct err *)0)->op),
               "texts of one size");

const char *mxc_library_version(void)
{
    return MXC_VERSION;
}

void mxc_free(void *p)
{
    free(p);
}

int lib_out_of_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int lib_fail(struct mxc_error *to, const struct err *e)
{
    const size_t head = offsetof(struct mxc_error, code);
    const size_t texts = offsetof(struct mxc_error, operation);
    struct mxc_error all = { .code = (int32_t)e->code,
                             .system = e->sys,
                             .line = e->line,
                             .column = e->column };
    size_t size;

    if (!to || to->size <= head)
        return -1;
    memcpy(all.operation, e->op, sizeof(all.operation));
    memcpy(all.where, e->where, sizeof(all.where));
    memcpy(all.hint, e->hint, sizeof(all.hint));
    memcpy(all.message, e->msg, sizeof(all.message));
    size = to->size < sizeof(all) ? to->size : sizeof(all);
    memcpy((char *)to + head, (char *)&all + head, size - head);
    /* A text that a shorter structure cuts ends there. */
    if (size > texts)
        ((char *)to)[size - 1] = '\0';
    return -1;
}

const char *mxc_error_name(int32_t code)
{
    return err_code_name((enum err_code)code);
}

char *mxc_error_json(const struct mxc_error *error)
{
    struct buf b = { .max = 64 * 1024 };
    struct mxc_error all = { .code = MXC_BACKEND_ERROR };
    struct err e = { 0 };

    if (error && error->size > offsetof(struct mxc_error, code))
        memcpy(&all, error,
               error->size < sizeof(all) ? error->size : sizeof(all));
    e.code = (enum err_code)all.code;
    e.sys = all.system;
    e.line = all.line;
    e.column = all.column;
    memcpy(e.op, all.operation, sizeof(e.op) - 1);
    memcpy(e.where, all.where, sizeof(e.where) - 1);
    memcpy(e.hint, all.hint, sizeof(e.hint) - 1);
    memcpy(e.msg, all.message, sizeof(e.msg) - 1);
    report_json(&b, &e);
    if (b.failed)
        buf_drop(&b);
    return b.data;
}

int lib_take_struct(void *to, size_t known, const void *from, size_t size,
                    const char *name, struct err *e)
{
    enum { LARGEST = 4096 }; /* as with the kernel's extensible structures */
    const char *bytes = from;

    /* All are whole words, and half of a pointer is none. */
    if (size < sizeof(size_t) || size > LARGEST || size % sizeof(size_t)) {
        err_set(e, ERR_MALFORMED_REQUEST, "%s.size is %zu", name, size);
        return err_hint(e, "set it to sizeof(struct %s)", name);
    }
    for (size_t i = known; i < size; i++)
        if (bytes[i]) {
            err_set(e, ERR_MALFORMED_REQUEST,
                    "%s has a field that this library does not know", name);
            return err_hint(e, "libmxc here is " MXC_VERSION);
        }
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    return 0;
}

int lib_check_size(size_t size, size_t least, const char *name, struct err *e)
{
    if (size >= least)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "%s.size is %zu", name, size);
    return err_hint(e, "set it to sizeof(struct %s)", name);
}

void lib_give_status(struct mxc_status *to, const struct mxc_status *from)
{
    const size_t head = offsetof(struct mxc_status, how);
    size_t size = to->size < sizeof(*from) ? to->size : sizeof(*from);

    memcpy((char *)to + head, (const char *)from + head, size - head);
}

/* config.c - the bundle's config.json, as runsc reads it.  Pure.
 *
 * It says who runs what where.  Nothing of the policy's paths is in it: the
 * launcher has built the view already, and runsc is told to take it whole. */
#include <string.h>

#include "backends/gvisor/build.h"
#include "base/buf.h"

enum { CONFIG_MAX = 8 << 20 };

static void put_list(struct buf *b, const char *name, const char *const *item,
                     size_t n)
{
    buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? "," : "");
        buf_json(b, item[i]);
    }
    buf_puts(b, "],");
}

/* Number 0 inside is the caller outside, the only id there is; it has no
 * capability.  runsc would serve files under no other number. */
static void put_process(struct buf *b, const struct policy *p, const char *cwd,
                        uint64_t files)
{
    buf_puts(b, "\"process\":{\"terminal\":false,"
                "\"user\":{\"uid\":0,\"gid\":0},");
    put_list(b, "args", p->arg, p->nargs);
    put_list(b, "env", p->env, p->nenv);
    buf_puts(b, "\"cwd\":");
    buf_json(b, cwd);
    buf_printf(b,
               ",\"capabilities\":{},\"noNewPrivileges\":true,"
               "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":1,\"soft\":1},"
               "{\"type\":\"RLIMIT_NOFILE\","
               "\"hard\":%llu,\"soft\":%llu}]},",
               (unsigned long long)files, (unsigned long long)files);
}

const char *gvisor_config(const struct policy *p, const struct host *h,
                          const char *cwd, uint64_t files, struct arena *a)
{
    struct buf b = { .max = CONFIG_MAX };
    const char *text;

    buf_puts(&b, "{\"ociVersion\":\"1.0.0\",");
    put_process(&b, p, cwd, files);
    buf_puts(&b, "\"root\":{\"path\":\"" GVISOR_VIEW "\",\"readonly\":false},"
                 "\"hostname\":");
    buf_json(&b, h->hostname ? h->hostname : "sandbox");
    /* An empty /tmp of the root it would cover with memory of its own, and
     * what a granted one is given would be lost. */
    buf_puts(&b, ",\"mounts\":[{\"destination\":\"/tmp\",\"type\":\"bind\","
                 "\"source\":\"" GVISOR_VIEW "/tmp\","
                 "\"options\":[\"rbind\"]}],"
                 "\"linux\":{\"namespaces\":[]}}");
    text = b.failed ? NULL : arena_strdup(a, b.data);
    buf_drop(&b);
    return text;
}

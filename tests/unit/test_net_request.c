/* test_net_request.c - the network part of a policy, from requests and from
 * what flags add.  In the rows ' stands for ". */
#include "t.h"

#include "backends/backend.h"
#include "policy/policy.h"

#define C1       "'version':'1.1.0+c1'"
#define RUN      "'process':{'commandLine':'id'}"
#define DOC(net) "{" C1 "," RUN ",'network':{" net "}}"
#define OPEN     "'hostLoopback':'allow'"

static int make(struct arena *a, const char *row, struct policy *p,
                struct err *e)
{
    char *json = arena_strdup(a, row);
    struct request *r;

    if (!json)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    if (request_parse(a, json, strlen(json), &r, e) < 0)
        return -1;
    return policy_from_request(a, r, p, e);
}

static void must(struct arena *a, const char *row, struct policy *p)
{
    struct err e = { 0 };

    NOTE(row);
    if (make(a, row, p, &e) < 0 || policy_check_network(p, &e) < 0)
        T_FAIL("%s", e.msg);
}

TEST(nothing_said_is_nothing_allowed)
{
    static const char *const rows[] = {
        "{" C1 "," RUN "}",
        DOC(""),
        DOC("'egress':{},'ingress':{}"),
        DOC("'egress':{'default':'deny','allow':[],'deny':[]},"
            "'ingress':{'default':'deny','hostLoopback':'deny'}"),
    };
    static const struct net_policy none;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct policy p;

        must(&a, rows[i], &p);
        CHECK(memcmp(&p.net, &none, sizeof(none)) == 0);
        CHECK(!net_needs_gateway(&p.net));
        CHECK_INT(p.need[1].feature, FEAT_NET_DENY);
        CHECK_INT(p.nneeds, 3);
        arena_drop(&a);
    }
}

TEST(rules_know_where_they_were_written)
{
    struct arena a = { .limit = 1 << 20 };
    const struct net_source *s;
    struct policy p;

    must(&a,
         DOC("'egress':{'default':'allow','allow':[{'to':[{'cidr':"
             "'10.0.0.0/8'}]},{}],'deny':[{'ports':[{'port':25}]},{'to':["
             "{'cidr':'192.0.2.1'}]},{'to':[{'cidr':'::1'}]}]}"),
         &p);
    CHECK_INT(p.net.egress_default, NET_ALLOW);
    CHECK_STR(p.egress_origin, "network.egress.default");
    CHECK_INT(p.net.nsources, 5);
    s = p.net.source;
    for (unsigned i = 0; i < 5; i++) {
        CHECK_INT(s[i].action, i < 3 ? NET_DENY : NET_ALLOW);
        CHECK_INT(s[i].origin.list, i < 3 ? NET_FROM_DENY : NET_FROM_ALLOW);
        CHECK_INT(s[i].origin.index, i < 3 ? i : i - 3);
    }
    CHECK_INT(s[0].rule->ports[0].port, 25);
    CHECK_STR(s[1].rule->to[0].cidr, "192.0.2.1");
    CHECK_STR(s[3].rule->to[0].cidr, "10.0.0.0/8");
    CHECK_INT(s[4].rule->nto, 0);
    arena_drop(&a);
}

TEST(ports_are_joined)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p;

    must(&a,
         DOC("'ingress':{" OPEN ",'ports':[{'guest':3000},{'guest':3001,"
             "'host':80},{'guest':3002,'host':81}],'hostServices':[{'host':"
             "5432},{'host':80,'guest':8080}]}"),
         &p);
    CHECK_INT(p.net.npublish, 3);
    CHECK_INT(p.net.publish[0].guest, 3000);
    CHECK_INT(p.net.publish[0].host, 0);
    CHECK_INT(p.net.publish[2].guest, 3002);
    CHECK_INT(p.net.publish[2].host, 81);
    CHECK_STR(p.publish_from[0], "network.ingress.ports[0]");
    CHECK_STR(p.publish_from[2], "network.ingress.ports[2]");
    CHECK_INT(p.net.nservices, 2);
    CHECK_INT(p.net.service[0].guest, 5432);
    CHECK_INT(p.net.service[0].host, 5432);
    CHECK_INT(p.net.service[1].guest, 8080);
    CHECK_INT(p.net.service[1].host, 80);
    CHECK(!p.net.service[0].is_v6);
    CHECK_STR(p.service_from[1], "network.ingress.hostServices[1]");
    arena_drop(&a);
}

TEST(a_proxy_is_a_service)
{
    static const struct {
        const char *url;
        unsigned port;
        bool is_v6;
    } rows[] = {
        { "http://127.0.0.1:8080", 8080, false },
        { "https://localhost:443/x?y", 443, false },
        { "http://LOCALHOST:80", 80, false },
        { "http://[::1]:3128", 3128, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct policy p;

        must(&a,
             arena_printf(&a,
                          "{" C1 "," RUN ",'runtimeConfig':{"
                          "'networkProxy':'%s'}}",
                          rows[i].url),
             &p);
        CHECK_STR(p.net.proxy_url, rows[i].url);
        CHECK_STR(p.proxy_origin, "runtimeConfig.networkProxy");
        CHECK_INT(p.net.nservices, 1);
        CHECK_INT(p.net.service[0].guest, rows[i].port);
        CHECK_INT(p.net.service[0].host, rows[i].port);
        CHECK_INT(p.net.service[0].is_v6, rows[i].is_v6);
        CHECK(!net_has_egress(&p.net) && net_needs_gateway(&p.net));
        arena_drop(&a);
    }
}

/* Said twice, it is one. */
TEST(a_proxy_may_be_a_listed_service)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p;

    must(&a,
         "{" C1 "," RUN ",'network':{'ingress':{" OPEN ",'hostServices':[{"
         "'host':8080}]}},'runtimeConfig':{'networkProxy':"
         "'http://127.0.0.1:8080'}}",
         &p);
    CHECK_INT(p.net.nservices, 1);
    arena_drop(&a);
}

static void check_variable(const struct policy *p, const char *name,
                           const char *value)
{
    size_t n = strlen(name), found = 0;

    NOTE(name);
    for (size_t i = 0; i < p->nenv; i++) {
        if (strncmp(p->env[i], name, n) != 0 || p->env[i][n] != '=')
            continue;
        CHECK(value != NULL);
        CHECK_STR(p->env[i] + n + 1, value);
        found++;
    }
    CHECK_INT(found, value != NULL);
}

static void check_eight(const struct policy *p, const char *value)
{
    static const char *const names[] = {
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY",
        "http_proxy", "https_proxy", "all_proxy", "ftp_proxy",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_variable(p, names[i], value);
}

#define CALLERS                                                                \
    "'process':{'commandLine':'id','env':['A=1','no_proxy=x','NO_PROXY=*',"    \
    "'Http_Proxy=y','HTTPS_PROXY=z','RSYNC_PROXY=r','HTTP_PROXY_=s']}"

TEST(proxy_variables)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p;
    struct err e;

    must(&a,
         "{" C1 "," CALLERS ",'runtimeConfig':{'networkProxy':"
         "'http://127.0.0.1:8080/p?q'}}",
         &p);
    CHECK_INT(policy_add_env(&p, &a, "All_Proxy=w", "--env", &e), 0);
    CHECK_INT(policy_finish_env(&p, &a, "/", &e), 0);
    check_eight(&p, "http://127.0.0.1:8080/p?q");
    check_variable(&p, "no_proxy", NULL);
    check_variable(&p, "NO_PROXY", NULL);
    check_variable(&p, "Http_Proxy", NULL);
    check_variable(&p, "All_Proxy", NULL);
    check_variable(&p, "A", "1");
    check_variable(&p, "RSYNC_PROXY", "r");
    check_variable(&p, "HTTP_PROXY_", "s");
    CHECK_INT(p.nenv, 12);

    must(&a, "{" C1 "," CALLERS ",'runtimeConfig':{'filteringProxy':true}}",
         &p);
    CHECK_INT(policy_finish_env(&p, &a, "/", &e), 0);
    check_eight(&p, "http://127.0.0.1:3128");
    check_variable(&p, "no_proxy", "x");
    check_variable(&p, "NO_PROXY", "*");
    check_variable(&p, "Http_Proxy", "y");

    must(&a, "{" C1 "," CALLERS "}", &p);
    CHECK_INT(policy_finish_env(&p, &a, "/", &e), 0);
    check_variable(&p, "HTTPS_PROXY", "z");
    check_variable(&p, "HTTP_PROXY", NULL);
    CHECK_INT(p.nenv, 8);
    arena_drop(&a);
}

/* What each clause needs of a backend, beyond what every policy needs. */
static const struct {
    const char *doc;
    unsigned needs;
} needs[] = {
    { DOC("'egress':{'default':'allow'}"), FEAT_NET_EGRESS },
    { DOC("'egress':{'allow':[{'to':[{'cidr':'192.0.2.0/24'}]}]}"),
      FEAT_NET_EGRESS },
    { DOC("'egress':{'allow':[{'to':[{'host':'a.example'}]}]}"),
      FEAT_NET_EGRESS | FEAT_NET_NAMES },
    { DOC("'egress':{'deny':[{'to':[{'cidr':'192.0.2.0/24'}]}]}"), 0 },
    { DOC("'egress':{'deny':[{'to':[{'host':'a.example'}]}]}"),
      FEAT_NET_NAMES },
    { DOC("'ingress':{'default':'allow'}"), FEAT_NET_INGRESS },
    { DOC("'ingress':{" OPEN "}"), FEAT_NET_LOOPBACK },
    { DOC("'ingress':{" OPEN ",'ports':[]}"), FEAT_NET_LOOPBACK },
    { DOC("'ingress':{" OPEN ",'ports':[{'guest':1}]}"), FEAT_NET_FORWARD },
    { DOC("'ingress':{" OPEN ",'hostServices':[{'host':1}]}"),
      FEAT_NET_FORWARD },
    { "{" C1 "," RUN ",'runtimeConfig':{'networkProxy':'http://[::1]:1'}}",
      FEAT_NET_PROXY },
    { "{" C1 "," RUN ",'runtimeConfig':{'filteringProxy':true}}",
      FEAT_NET_FILTER_PROXY },
    { "{" C1 "," RUN ",'runtimeConfig':{'filteringProxy':false}}", 0 },
};

TEST(clauses_need_features)
{
    const unsigned always = FEAT_FILESYSTEM | FEAT_NET_DENY | FEAT_UI_DENY;
    const unsigned lacking = FEAT_NET_INGRESS | FEAT_NET_LOOPBACK;

    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct err e = { 0 };
        unsigned found = 0;
        struct policy p;

        must(&a, needs[i].doc, &p);
        for (size_t k = 0; k < p.nneeds; k++)
            found |= p.need[k].feature;
        CHECK_INT(found, always | needs[i].needs);
        CHECK_INT(backend_check(&backend_native, &p, &e),
                  needs[i].needs & lacking ? -1 : 0);
        arena_drop(&a);
    }
}

/* --- refusals -------------------------------------------------------- */

static const struct {
    const char *doc;
    enum err_code code;
    const char *msg, *where;
} refused[] = {
    { DOC("'egress':{'allow':[{},{'to':[{'cidr':'::1'},{'host':"
          "'localhost'}]}]}"),
      ERR_MALFORMED_REQUEST,
      "host 'localhost': ", "network.egress.allow[1].to[1].host" },
    { DOC("'egress':{'deny':[{'to':[{'host':'1.2.3.4'}]}]}"),
      ERR_MALFORMED_REQUEST,
      "host '1.2.3.4': ", "network.egress.deny[0].to[0].host" },
    { DOC("'egress':{'allow':[{'to':[{'host':'a..example'}]}]}"),
      ERR_MALFORMED_REQUEST,
      "host 'a..example': ", "network.egress.allow[0].to[0].host" },
    { "{" C1 "," RUN ",'runtimeConfig':{'networkProxy':"
      "'http://u:p@127.0.0.1:8080'}}",
      ERR_POLICY_VALIDATION,
      "proxy: its URL holds credentials, which the workload would see",
      "runtimeConfig.networkProxy" },
    { "{" C1 "," RUN ",'network':{'ingress':{" OPEN ",'ports':[{'guest':"
      "8080}]}},'runtimeConfig':{'networkProxy':'http://127.0.0.1:8080'}}",
      ERR_POLICY_VALIDATION, "port 8080 of the sandbox has two meanings",
      "runtimeConfig.networkProxy" },
    { "{" C1 "," RUN ",'network':{'ingress':{" OPEN ",'hostServices':[{"
      "'host':1,'guest':8080}]}},'runtimeConfig':{'networkProxy':"
      "'http://127.0.0.1:8080'}}",
      ERR_POLICY_VALIDATION, "port 8080 of the sandbox has two meanings",
      "runtimeConfig.networkProxy" },
    { "{" C1 "," RUN ",'network':{'ingress':{" OPEN ",'ports':[{'guest':"
      "3128}]}},'runtimeConfig':{'filteringProxy':true}}",
      ERR_POLICY_VALIDATION, "port 3128 of the sandbox has two meanings",
      "network.ingress.ports[0]" },
};

TEST(refusals_say_which_and_why)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct policy p = { .label = "untouched" };
        struct err e = { 0 };

        NOTE(refused[i].doc);
        if (make(&a, refused[i].doc, &p, &e) == 0)
            CHECK_INT(policy_check_network(&p, &e), -1);
        else
            CHECK_STR(p.label, "untouched");
        CHECK_INT(e.code, refused[i].code);
        CHECK_HAS(e.msg, refused[i].msg);
        CHECK_STR(e.where, refused[i].where);
        arena_drop(&a);
    }
}

/* --- flags ----------------------------------------------------------- */

static int add_rule(struct policy *p, struct arena *a)
{
    static const struct net_rule everything;
    const struct net_source s = { NET_ALLOW,
                                  &everything,
                                  { NET_FROM_ALLOW_NET, 0 } };
    struct err e;

    return policy_add_net(p, a, &s, "--allow-net", &e);
}

TEST(flags_add_to_a_request)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p;
    struct err e = { 0 };

    must(&a, DOC("'ingress':{" OPEN ",'ports':[{'guest':1,'host':80}]}"), &p);
    CHECK_INT(add_rule(&p, &a), 0);
    policy_allow_internet(&p, "--allow-net");
    CHECK_INT(policy_publish(&p, &a, (struct net_forward){ .guest = 2 },
                             "--publish", &e),
              0);
    CHECK_INT(policy_serve(&p, &a, (struct net_forward){ 3, 80, false },
                           "--host-service", &e),
              0);
    policy_set_filtering_proxy(&p, "--proxy");
    CHECK_INT(policy_check_network(&p, &e), 0);
    CHECK_INT(p.net.nsources, 1);
    CHECK_STR(p.egress_origin, "--allow-net");
    CHECK_STR(p.publish_from[1], "--publish");
    CHECK_STR(p.service_from[0], "--host-service");
    CHECK_STR(p.proxy_origin, "--proxy");
    CHECK_INT(backend_check(&backend_native, &p, &e), 0);
    /* And what has a meaning already is refused. */
    CHECK_INT(policy_publish(&p, &a, (struct net_forward){ 9, 80, false },
                             "--publish", &e),
              0);
    CHECK_INT(policy_check_network(&p, &e), -1);
    CHECK_STR(e.msg, "port 80 of the host has two meanings");
    CHECK_STR(e.where, "--publish");
    arena_drop(&a);
}

TEST(a_proxy_stands_alone)
{
    static const char url[] = "http://127.0.0.1:8080";
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e = { 0 };

    CHECK_INT(policy_set_proxy(&p, &a, url, "--proxy", &e), 0);
    CHECK_INT(policy_check_network(&p, &e), 0);
    CHECK_INT(policy_set_proxy(&p, &a, url, "--proxy", &e), -1);
    CHECK_STR(e.msg, "proxy: there is another one already");
    CHECK_INT(add_rule(&p, &a), 0);
    CHECK_INT(policy_check_network(&p, &e), -1);
    CHECK_STR(e.msg, "proxy: it is the only way out, beside which no rule can "
                     "stand");
    p.net.nsources = 0;
    policy_allow_internet(&p, "--allow-net");
    CHECK_INT(policy_check_network(&p, &e), -1);
    p.net.egress_default = NET_DENY;
    policy_set_filtering_proxy(&p, "--proxy");
    CHECK_INT(policy_check_network(&p, &e), -1);
    CHECK_STR(e.msg, "proxy: either the built-in one or one of the host");
    CHECK_INT(policy_set_proxy(&(struct policy){ 0 }, &a, "x", "--proxy", &e),
              -1);
    CHECK_HAS(e.msg, "proxy: expected a URL");
    arena_drop(&a);
}

/* Every allocation fails once. */
TEST(out_of_memory_is_an_error)
{
    static const char doc[] =
        "{" C1 "," RUN ",'network':{'egress':{'allow':[{},{}],'deny':[{}]},"
        "'ingress':{" OPEN ",'ports':[{'guest':1},{'guest':2},{'guest':4}],"
        "'hostServices':[{'host':3}]}},"
        "'runtimeConfig':{'filteringProxy':true}}";
    int failures = 0;
    bool done = false;

    for (size_t limit = 0; !done; limit += 64) {
        struct arena a = { .limit = limit };
        struct policy p = { 0 };
        struct err e = { 0 };

        CHECK(limit < 1 << 20);
        done = make(&a, doc, &p, &e) == 0 &&
               policy_finish_env(&p, &a, "/w", &e) == 0;
        CHECK_INT(e.code == ERR_NONE, done);
        failures += !done;
        arena_drop(&a);
    }
    CHECK(failures > 50);
}

T_MAIN()
